import pytest
import torch

from segcube.core import EnvironmentFault, UsageError
from segcube.networks import load_network
from segcube.spec.submission import load_for
from segcube.tools.soup import open_pot, uniform_soup


def test_the_members_become_one(tmp_path, network, moved, submission_of):
    folder = submission_of("source", a=moved(network, 0.5), b=moved(network, -0.5))
    (folder / "MODEL_CARD.md").write_text("# source\n\n- It was so.\n")
    uniform_soup(open_pot(folder), tmp_path / "out")
    loaded = load_for(tmp_path / "out")
    (member,) = loaded.submission.members
    soup = load_network(tmp_path / "out" / member.file, member.sha256)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(soup.state_dict()[name], tensor)
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "A uniform soup of 2 members" in card
    assert "| a.safetensors | " in card
    assert "- It was so." in card


def test_a_changed_member_is_noticed(network, moved, submission_of):
    folder = submission_of("source", a=network, b=moved(network, 1))
    (folder / "b.safetensors").write_bytes((folder / "a.safetensors").read_bytes())
    with pytest.raises(EnvironmentFault, match=r"b.safetensors: sha256 .*; expected sha256"):
        open_pot(folder)


def test_one_member_is_no_soup(network, submission_of):
    with pytest.raises(UsageError, match="1 members in the first; expected one branch"):
        open_pot(submission_of("source", a=network))


def test_an_unknown_stage_is_refused(network, submission_of):
    with pytest.raises(UsageError, match="no stage 'heart'; expected one of tumour"):
        open_pot(submission_of("source", a=network, b=network), "heart")


def test_a_full_folder_is_refused(tmp_path, network, submission_of):
    pot = open_pot(submission_of("source", a=network, b=network))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(UsageError, match="is there already"):
        uniform_soup(pot, tmp_path / "out")
