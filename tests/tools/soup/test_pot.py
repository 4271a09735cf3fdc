import shutil

import pytest
import yaml

from segcube.core import EnvironmentFault
from segcube.networks import load_network
from segcube.spec.submission import load_for
from segcube.tools.soup import open_pot, uniform_soup


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
    uniform_soup(open_pot(cascade, "first"), tmp_path / "once")
    uniform_soup(open_pot(tmp_path / "once", "second"), tmp_path / "twice")
    members = load_for(tmp_path / "twice").submission.members
    assert len({member.file for member in members}) == 2
    for member in members:
        load_network(tmp_path / "twice" / member.file, member.sha256)


def test_a_soup_takes_no_name_that_differs_from_a_members_by_case_alone(cascade, tmp_path):
    (cascade / "c.safetensors").rename(cascade / "SOUP.safetensors")

    def change(content):
        content["stages"][1]["branches"][0]["members"][0]["file"] = "SOUP.safetensors"

    rewrite(cascade, change)
    uniform_soup(open_pot(cascade, "first"), tmp_path / "out")
    names = [file.name.lower() for file in (tmp_path / "out").glob("*.safetensors")]
    assert len(names) == len(set(names)) == 3


def test_a_damaged_member_of_another_stage_leaves_nothing(cascade, tmp_path):
    (cascade / "c.safetensors").write_bytes((cascade / "d.safetensors").read_bytes())
    before = sorted(tmp_path.iterdir())
    with pytest.raises(EnvironmentFault, match=r"c\.safetensors: sha256 .*; expected sha256"):
        uniform_soup(open_pot(cascade, "first"), tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


def test_a_network_that_does_not_fit_its_branch_leaves_nothing(cascade, tmp_path):
    def change(content):
        content["stages"][1]["branches"][0]["window"]["size"] = [15, 16, 16]

    rewrite(cascade, change)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(EnvironmentFault, match="cannot take windows"):
        uniform_soup(open_pot(cascade, "first"), tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


def test_challenge_files_of_the_source_are_copied(submission_of, network, challenge, tmp_path):
    folder = submission_of("source", a=network, b=network)
    for name, key in (("own.yaml", "own"), ("other.yaml", "other")):
        content = challenge.model_dump(mode="json") | {"key": key}
        (folder / name).write_text(yaml.safe_dump(content))
    rewrite(folder, lambda content: content.update(challenge="own.yaml", serves=["other.yaml"]))
    uniform_soup(open_pot(folder), tmp_path / "out")
    shutil.rmtree(folder)
    assert load_for(tmp_path / "out", "other.yaml").challenge.key == "other"


def test_the_card_is_titled_by_the_new_folder(submission_of, network, tmp_path):
    uniform_soup(open_pot(submission_of("source", a=network, b=network)), tmp_path / "mean")
    assert (tmp_path / "mean" / "MODEL_CARD.md").read_text().startswith("# mean\n")
