from __future__ import annotations

import base64
import math
import re
from dataclasses import replace
from datetime import UTC, datetime

from segcube.training.progress import History, read_history
from segcube.training.progress.page import progress_page
from segcube.training.progress.sections import MOST_ROWS

from .test_markup import Reader

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def read(run, history, folder) -> Reader:
    return Reader(progress_page(run, history, folder, NOW))


def rows(page: bytes) -> list[list[str]]:
    """The cells of all rows of the tables."""
    found = re.findall(r"<tr>(.*?)</tr>", page.decode())
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in found]


def test_a_page_states_what_the_log_has(run, records, tmp_path):
    page = progress_page(run, read_history(records), tmp_path, NOW)
    found = rows(page)
    for row in (
        ["step", "2 of 600 (0.3%)"],
        ["steps per second", "0.5"],
        # 598 steps of 2 s; the validations' time is unknown
        ["time left", "19 min 56 s"],
        ["loss", "1"],
        ["steps without update", "1"],
        ["peak memory", "1.25 GB"],
        ["case-1", "0.750", "0.500", "–", "–"],
        ["mean", "0.500", "0.375", "0.125", "–"],
        ["mean recall", "0.875", "–", "–", "0.625"],
        ["dice", "0.375", "1"],
        ["hd95", "4", "–"],
        ["ET", "75.0%", "25.0%"],
        ['<span><span class="key line3"></span>backward</span>', "37.5%", "750.00"],
        ["1", "skipped", "step 2 &lt;changed&gt; no weights"],
        ["patch", "8 x 12 x 16 voxels"],
        ["torch", "2.13.0"],
    ):
        assert row in found
    assert b"Written 2026-01-02 03:04:05 UTC" in page


def test_a_page_has_the_recipe_and_its_digest(run, records, tmp_path):
    text = read(run, read_history(records), tmp_path).text
    assert re.search(r"digest of the recipe[0-9a-f]{64}", text)
    assert "kind: schedule-free-adamw" in text


def test_a_page_has_curves_with_titles_of_their_own(run, records, tmp_path):
    found = read(run, read_history(records), tmp_path)
    names = [value for key, value in found.attributes if key == "id"]
    assert len(names) == len(set(names))
    assert {"loss-title", "dice-title", "parts-title", "rate-title", "norm-title"} <= set(names)
    described = [value for key, value in found.attributes if key == "aria-labelledby"]
    assert {name for value in described for name in str(value).split()} <= set(names)


def test_a_page_of_a_training_without_steps(run, tmp_path):
    text = read(run, History(), tmp_path).text
    assert "Loss: no values yet" in text
    assert "The first validation follows step 300." in text


def test_thumbnails_are_embedded(run, records, tmp_path):
    (tmp_path / "thumbnails").mkdir()
    (tmp_path / "thumbnails" / "case-1.png").write_bytes(b"a picture")
    found = read(run, read_history(records), tmp_path)
    assert ("src", f"data:image/png;base64,{base64.b64encode(b'a picture').decode()}") in found.attributes
    assert any(key == "alt" and str(value).startswith("case-1:") for key, value in found.attributes)


def test_a_page_loads_nothing(run, records, tmp_path):
    found = read(run, read_history(records), tmp_path)
    assert not {"script", "link", "iframe", "object"} & set(found.tags)
    assert not [value for key, value in found.attributes if key in ("src", "href")]


def test_a_long_log_gives_a_bounded_page(run, tmp_path):
    def size(steps: int) -> int:
        history = History()
        for step in range(1, steps + 1):
            values = {
                name: math.sin(step * 7.0) for name in ("loss", "dice", "entropy", "rate", "gradient_norm")
            }
            history.add({"kind": "step", "step": step, **values})
            if step % 4 == 0:
                regions = dict.fromkeys(("WT", "TC", "ET"), 0.5 + 0.4 * math.sin(step))
                scores = {f"case-{number}": regions for number in range(2 * MOST_ROWS)}
                history.add({"kind": "validation", "step": step, "scores": scores, "mean": regions})
                history.add({"kind": "event", "step": step, "event": "skipped", "message": "m" * 2000})
        page = progress_page(replace(run, steps=steps), history, tmp_path, NOW)
        assert f"{MOST_ROWS} more cases are in scores.csv.".encode() in page
        return len(page)

    assert size(8191) <= 1.05 * size(4095)
    assert size(4095) < 400_000
