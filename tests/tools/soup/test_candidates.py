import pytest

from segcube.core import EnvironmentFault, UsageError
from segcube.tools.soup import read_candidates


def test_a_changed_member_is_noticed(network, moved, submission_of):
    folder = submission_of("source", a=network, b=moved(network, 1))
    (folder / "b.safetensors").write_bytes((folder / "a.safetensors").read_bytes())
    with pytest.raises(EnvironmentFault, match=r"b.safetensors: sha256 .*; expected sha256"):
        read_candidates(folder)


def test_one_member_is_no_soup(network, submission_of):
    with pytest.raises(UsageError, match="1 members in the first; expected one branch"):
        read_candidates(submission_of("source", a=network))


def test_an_unknown_stage_is_refused(network, submission_of):
    with pytest.raises(UsageError, match="no stage 'heart'; expected one of tumour"):
        read_candidates(submission_of("source", a=network, b=network), "heart")
