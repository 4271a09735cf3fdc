import shutil

import pytest
import safetensors.torch
import torch
import yaml

from segcube.core import EnvironmentFault, UsageError
from segcube.networks import NetworkCard, build_network, load_network, save_network
from segcube.networks.store import encode_card
from segcube.spec.submission import load_for_challenge
from segcube.tools.soup import read_candidates, uniform_soup
from segcube.tools.soup.averaging import average_weights

CARD = NetworkCard("MedNeXtV1", {"in_channels": 1}, "0")


def save(file, card=CARD, **tensors):
    file.write_bytes(safetensors.torch.save(tensors, encode_card(card)))
    return file


def test_floats_are_averaged_and_integers_are_the_first_files(tmp_path):
    files = [
        save(tmp_path / f"{index}", w=torch.tensor([1.0, index]), count=torch.tensor(5 * index + 1))
        for index in range(3)
    ]
    card, mean = average_weights(files)
    assert card == CARD
    assert torch.equal(mean["w"], torch.tensor([1.0, 1.0]))
    assert mean["count"] == 1


def test_the_sum_runs_in_float64(tmp_path):
    values = [1e8, 1.0, -1e8, 1.0]
    files = [save(tmp_path / f"{i}", w=torch.tensor([value])) for i, value in enumerate(values)]
    assert average_weights(files)[1]["w"].item() == 0.5
    assert sum(torch.tensor([value]) for value in values).item() != 2


def test_float16_stays_float16(tmp_path):
    files = [save(tmp_path / f"{i}", w=torch.full((1,), 1.0 + i).half()) for i in range(2)]
    mean = average_weights(files)[1]["w"]
    assert (mean.dtype, mean.item()) == (torch.float16, 1.5)


def test_one_file_is_its_own_mean(tmp_path):
    network = build_network(
        "MedNeXtV1", {"in_channels": 1, "out_channels": 1, "n_channels": 2, "exp_r": 1, "block_counts": 1}
    )
    arguments = {"in_channels": 1, "out_channels": 1, "n_channels": 2, "exp_r": 1, "block_counts": 1}
    save_network(network, "MedNeXtV1", arguments, tmp_path / "a")
    for name, tensor in average_weights([tmp_path / "a"])[1].items():
        assert torch.equal(tensor, network.state_dict()[name])


def test_different_networks_are_refused(tmp_path):
    one = save(tmp_path / "a", w=torch.ones(1))
    other = save(tmp_path / "b", NetworkCard("MedNeXtV1", {"in_channels": 2}, "0"), w=torch.ones(1))
    with pytest.raises(
        UsageError, match=r"b: MedNeXtV1 with in_channels=2; expected MedNeXtV1 with in_channels=1, as a"
    ):
        average_weights([one, other])


def test_no_file_is_an_error():
    with pytest.raises(UsageError, match="no weights"):
        average_weights([])


def rewrite(folder, change):
    file = folder / "submission.yaml"
    content = yaml.safe_load(file.read_text())
    change(content)
    file.write_text(yaml.safe_dump(content))


@pytest.fixture
def cascade(submission_of, network, moved):
    """A submission of two stages, two members each: `a` and `b`, then `c` and `d`."""
    folder = submission_of(
        "cascade", a=network, b=moved(network, 1), c=moved(network, 2), d=moved(network, 3)
    )

    def split(content):
        (stage,) = content["stages"]
        branch = stage["branches"][0]
        members = branch.pop("members")
        content["stages"] = [
            {"name": "first", "branches": [branch | {"members": members[:2]}]},
            {
                "name": "second",
                "follows": {"stage": "first", "as": "gate"},
                "branches": [branch | {"members": members[2:]}],
            },
        ]

    rewrite(folder, split)
    return folder


def test_a_soup_of_each_stage_of_a_cascade_keeps_the_other_stages_soup(cascade, tmp_path):
    uniform_soup(read_candidates(cascade, "first"), tmp_path / "once")
    uniform_soup(read_candidates(tmp_path / "once", "second"), tmp_path / "twice")
    members = load_for_challenge(tmp_path / "twice").submission.members
    assert len({member.file for member in members}) == 2
    for member in members:
        load_network(tmp_path / "twice" / member.file, member.sha256)


def test_the_new_file_name_differs_from_others_by_more_than_case(cascade, tmp_path):
    (cascade / "c.safetensors").rename(cascade / "SOUP.safetensors")

    def change(content):
        content["stages"][1]["branches"][0]["members"][0]["file"] = "SOUP.safetensors"

    rewrite(cascade, change)
    uniform_soup(read_candidates(cascade, "first"), tmp_path / "out")
    names = [file.name.lower() for file in (tmp_path / "out").glob("*.safetensors")]
    assert len(names) == len(set(names)) == 3


def test_a_damaged_member_of_another_stage_leaves_nothing(cascade, tmp_path):
    (cascade / "c.safetensors").write_bytes((cascade / "d.safetensors").read_bytes())
    before = sorted(tmp_path.iterdir())
    with pytest.raises(EnvironmentFault, match=r"c\.safetensors: sha256 .*; expected sha256"):
        uniform_soup(read_candidates(cascade, "first"), tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


def test_a_network_that_does_not_fit_its_branch_leaves_nothing(cascade, tmp_path):
    def change(content):
        content["stages"][1]["branches"][0]["window"]["size"] = [15, 16, 16]

    rewrite(cascade, change)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(EnvironmentFault, match="cannot take windows"):
        uniform_soup(read_candidates(cascade, "first"), tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


def test_challenge_files_of_the_source_are_copied(submission_of, network, challenge, tmp_path):
    folder = submission_of("source", a=network, b=network)
    for name, key in (("own.yaml", "own"), ("other.yaml", "other")):
        content = challenge.model_dump(mode="json") | {"key": key}
        (folder / name).write_text(yaml.safe_dump(content))
    rewrite(folder, lambda content: content.update(challenge="own.yaml", serves=["other.yaml"]))
    uniform_soup(read_candidates(folder), tmp_path / "out")
    shutil.rmtree(folder)
    assert load_for_challenge(tmp_path / "out", "other.yaml").challenge.key == "other"


def test_the_card_is_titled_by_the_new_folder(submission_of, network, tmp_path):
    uniform_soup(read_candidates(submission_of("source", a=network, b=network)), tmp_path / "mean")
    assert (tmp_path / "mean" / "MODEL_CARD.md").read_text().startswith("# mean\n")


def test_a_uniform_soup_has_one_member_and_a_card(tmp_path, network, moved, submission_of):
    folder = submission_of("source", a=moved(network, 0.5), b=moved(network, -0.5))
    (folder / "MODEL_CARD.md").write_text("# source\n\n- It was so.\n")
    uniform_soup(read_candidates(folder), tmp_path / "out")
    loaded = load_for_challenge(tmp_path / "out")
    (member,) = loaded.submission.members
    soup = load_network(tmp_path / "out" / member.file, member.sha256)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(soup.state_dict()[name], tensor)
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "A uniform soup of 2 members" in card
    assert "| a.safetensors | " in card
    assert "- It was so." in card


def test_a_folder_with_files_is_refused(tmp_path, network, submission_of):
    candidates = read_candidates(submission_of("source", a=network, b=network))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(UsageError, match="already exists"):
        uniform_soup(candidates, tmp_path / "out")
