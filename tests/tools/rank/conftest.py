import json

import pytest


@pytest.fixture
def score_file(tmp_path):
    """Write a score file of one region and metrics: its name, a list of values a metric, and what differs."""

    def write(name, profile="brats2023", challenge="brats2023-gli", region="WT", versions=None, **metrics):
        rows = zip(*metrics.values(), strict=True)
        cases = {
            f"case{index}": {region: dict(zip(metrics, row, strict=True))} for index, row in enumerate(rows)
        }
        content = {"profile": profile, "challenge": challenge, "versions": versions or {}, "cases": cases}
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(content))
        return file

    return write
