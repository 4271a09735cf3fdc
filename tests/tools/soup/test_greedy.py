import json
import math
from dataclasses import replace

import pytest
import torch
import yaml

from segcube.core import UsageError
from segcube.networks import build_network, load_network, save_network
from segcube.tools.soup import Validation, greedy_soup, read_candidates

from .conftest import ARGUMENTS, NAME

SETTINGS = {"device": "cpu", "flips": False, "backend": "torch"}


@pytest.fixture
def trials():
    return []


@pytest.fixture
def validation(validation_of, network, challenge, trials):
    """Labels predicted by `network`, which alone scores 1."""
    data, labels = validation_of(network)
    return Validation(data, labels, challenge, settings=SETTINGS, log=trials.append)


def lines_of(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_members_whose_mean_is_better_are_kept(tmp_path, network, moved, submission_of, validation):
    apart = {"plus": moved(network, 0.3), "minus": moved(network, -0.3), "far": moved(network, 3, seed=5)}
    candidates, journal = read_candidates(submission_of("source", **apart)), tmp_path / "soup.jsonl"
    result = greedy_soup(candidates, validation, tmp_path / "out", journal)
    assert set(result.soup) == {"plus.safetensors", "minus.safetensors"}
    assert result.score == 1
    soup = load_network(tmp_path / "out" / "soup.safetensors", None)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(soup.state_dict()[name], tensor)
    conditions, *tried = lines_of(journal)
    assert conditions["candidates"].keys() == {f"{name}.safetensors" for name in apart}
    last = {tuple(sorted(line["soup"])): line["kept"] for line in tried}
    assert last[("minus.safetensors", "plus.safetensors")] is True
    assert last[("far.safetensors",)] is False
    assert [soup for soup, kept in last.items() if kept and len(soup) == 1] == [(result.soup[0],)]


def test_the_best_alone_stays_alone_where_nothing_helps(tmp_path, network, moved, submission_of, validation):
    candidates = read_candidates(submission_of("source", other=moved(network, 3), truth=network))
    result = greedy_soup(candidates, validation, tmp_path / "out", tmp_path / "soup.jsonl")
    assert (result.soup, result.score) == (("truth.safetensors",), 1)


def test_a_second_run_resumes_from_the_journal(tmp_path, network, moved, submission_of, validation):
    candidates, journal = (
        read_candidates(submission_of("source", a=moved(network, 1), b=network)),
        tmp_path / "soup.jsonl",
    )
    first = greedy_soup(candidates, validation, tmp_path / "out", journal)
    whole = journal.read_text()
    # A changed score in the journal shows that nothing is predicted again
    journal.write_text(whole.replace(f'"score": {first.score}', '"score": 0.125'))
    again = greedy_soup(candidates, validation, tmp_path / "again", journal)
    assert again.score != first.score
    journal.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    assert greedy_soup(candidates, validation, tmp_path / "third", journal) == first
    assert journal.read_text() == whole


def test_a_changed_label_map_is_an_error(tmp_path, network, moved, submission_of, validation):
    candidates, journal = (
        read_candidates(submission_of("source", a=moved(network, 1), b=network)),
        tmp_path / "soup.jsonl",
    )
    greedy_soup(candidates, validation, tmp_path / "out", journal)
    (label,) = validation.labels.iterdir()
    label.write_bytes(label.read_bytes() + b"\0")
    with pytest.raises(UsageError, match=r"was written for other cases \(BraTS-MEN-RT-0001-1\)"):
        greedy_soup(candidates, validation, tmp_path / "again", journal)


def test_labels_without_a_case_are_refused(validation):
    (label,) = validation.labels.iterdir()
    label.rename(label.with_name("BraTS-MEN-RT-0077-1.nii.gz"))
    with pytest.raises(UsageError, match="has no case for 1 label maps, BraTS-MEN-RT-0077-1 first"):
        validation.cases()


def test_scores_of_another_submission_are_not_reused(tmp_path, network, moved, submission_of, validation):
    folder, journal = submission_of("source", a=moved(network, 1), b=network), tmp_path / "soup.jsonl"
    greedy_soup(read_candidates(folder), validation, tmp_path / "out", journal)
    content = yaml.safe_load((folder / "submission.yaml").read_text())
    content["postprocess"] = [{"rule": "largest_component", "labels": ["GTV"]}]
    (folder / "submission.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UsageError, match=r"was written for other submission \(postprocess\)"):
        greedy_soup(read_candidates(folder), validation, tmp_path / "again", journal)
    assert not (tmp_path / "again").exists()


def test_scores_of_another_challenge_are_not_reused(tmp_path, network, moved, submission_of, validation):
    candidates, journal = (
        read_candidates(submission_of("source", a=moved(network, 1), b=network)),
        tmp_path / "soup.jsonl",
    )
    greedy_soup(candidates, validation, tmp_path / "out", journal)
    metrics = validation.challenge.metrics.model_copy(update={"penalty": 100.0})
    changed = replace(validation, challenge=validation.challenge.model_copy(update={"metrics": metrics}))
    with pytest.raises(UsageError, match=r"was written for other challenge \(metrics\)"):
        greedy_soup(candidates, changed, tmp_path / "again", journal)


def test_the_lowest_score_wins_if_less_is_better(tmp_path, network, moved, submission_of, validation):
    candidates = read_candidates(submission_of("source", other=moved(network, 3), truth=network))
    options = replace(validation, metric="hd95")
    result = greedy_soup(candidates, options, tmp_path / "out", tmp_path / "soup.jsonl")
    assert (result.soup, result.score) == (("truth.safetensors",), 0)


def test_a_case_that_cannot_be_predicted_has_no_number_of_false_positives(submission_of, network, validation):
    for file in validation.data.rglob("*.nii.gz"):
        file.write_bytes(b"")
    score = replace(validation, profile="brats2026", metric="num_fp").score(submission_of("a", a=network))
    assert math.isnan(score)


def test_a_damaged_label_map_ends_the_search(submission_of, network, validation):
    (label,) = validation.labels.iterdir()
    label.write_bytes(label.read_bytes()[:-20])
    with pytest.raises(UsageError, match=rf"{label.name}: .*repair the label map"):
        validation.score(submission_of("a", a=network))


def test_a_metric_without_a_direction_is_refused(tmp_path, challenge):
    with pytest.raises(UsageError, match="unknown metric 'volume_pred'"):
        Validation(tmp_path, tmp_path, challenge, metric="volume_pred")


def test_members_of_several_networks_are_refused_before_any_is_scored(
    tmp_path, network, submission_of, validation, trials
):
    folder = submission_of("source", a=network, b=network)
    arguments = {**ARGUMENTS, "n_conv_per_stage": 2}
    digest = save_network(build_network(NAME, arguments), NAME, arguments, folder / "b.safetensors")
    content = yaml.safe_load((folder / "submission.yaml").read_text())
    content["stages"][0]["branches"][0]["members"][1]["sha256"] = digest
    (folder / "submission.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UsageError, match=r"b\.safetensors"):
        greedy_soup(read_candidates(folder), validation, tmp_path / "out", tmp_path / "soup.jsonl")
    assert trials == []
