import hashlib

import pytest
import torch
import yaml
from pydantic import ValidationError

from segcube.core import EnvironmentFault, UsageError
from segcube.importers import Imported, write_imported
from segcube.importers.options import Target
from segcube.importers.write import Source, pending, plain_text
from segcube.networks import build_network, load_network
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import Branch, Outputs, Stage, Submission, Window, load_for_challenge

ARGUMENTS = {"in_channels": 1, "out_channels": 2, "n_channels": 2, "exp_r": 1, "block_counts": 1}


@pytest.fixture
def state():
    torch.manual_seed(0)
    return dict(build_network("MedNeXtV1", ARGUMENTS).state_dict())


@pytest.fixture
def make(tmp_path, state):
    """An import of one member, whose weights are those of `state` when they are read."""

    def imported(target=None, **changes):
        file = tmp_path / "fold_0" / "w.pth"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"weights")
        target = target or Target(load_challenge("brats2024-men-rt"))
        branch = Branch(
            channels=("t1c",),
            outputs=Outputs(kind="labels", names=("background", "GTV")),
            window=Window(size=(16, 16, 16)),
            members=(pending("a.safetensors"),),
        )
        submission = Submission(
            name="x", challenge=target.reference, stages=(Stage(name="s", branches=(branch,)),), **changes
        )
        source = Source("MedNeXtV1", ARGUMENTS, (file,), lambda: state)
        return Imported(submission, {"a.safetensors": source}, target, "a trainer", ("A decision.",))

    return imported


def test_the_folder_holds_a_whole_submission(tmp_path, make, state):
    write_imported(make(), tmp_path / "out")
    loaded = load_for_challenge(tmp_path / "out")
    member = loaded.submission.members[0]
    network = load_network(tmp_path / "out" / member.file, member.sha256)
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "MODEL_CARD.md",
        "a.safetensors",
        "submission.yaml",
    ]


def test_the_card_names_sources_and_open_entries(tmp_path, make):
    write_imported(make(), tmp_path / "out")
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert f"| a.safetensors | fold_0/w.pth | {hashlib.sha256(b'weights').hexdigest()} |" in card
    assert "from a trainer" in card
    assert "- A decision." in card
    assert card.count("unknown: add it here") == 2


def test_licence_and_citation_are_in_the_card(tmp_path, make):
    write_imported(make(licence="CC0-1.0", citation="Author 2024"), tmp_path / "out")
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "CC0-1.0" in card
    assert "Author 2024" in card


def test_a_challenge_file_is_copied(tmp_path, make):
    own = tmp_path / "own.yaml"
    content = load_challenge("brats2024-men-rt").model_dump(mode="json", exclude_none=True) | {"key": "own"}
    own.write_text(yaml.safe_dump(content))
    write_imported(make(Target(load_challenge(own), own)), tmp_path / "out")
    own.unlink()
    assert load_for_challenge(tmp_path / "out").challenge.key == "own"


def test_an_empty_folder_is_used_and_a_full_one_refused(tmp_path, make):
    (tmp_path / "out").mkdir()
    write_imported(make(), tmp_path / "out")
    with pytest.raises(UsageError, match="already exists"):
        write_imported(make(), tmp_path / "out")


def refused(tmp_path, imported, words, **options):
    with pytest.raises(EnvironmentFault, match=words):
        write_imported(imported, tmp_path / "out", **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold_0"]


def test_wrong_keys_are_reported_with_their_source_and_no_file_remains(tmp_path, make, state):
    del state["stem.bias"]
    state["loss"] = torch.ones(1)
    state["stem.weight"] = torch.ones(3, 1, 1, 1, 1)
    words = (
        r"fold_0/w.pth: keys 1 missing: stem.bias; 1 unexpected: loss; "
        r"1 of another shape: stem.weight \(3, 1, 1, 1, 1\) instead of"
    )
    refused(tmp_path, make(), words)


def test_a_value_that_is_not_finite_is_reported_with_its_source(tmp_path, make, state):
    state["stem.weight"][0] = float("nan")
    refused(tmp_path, make(), r"fold_0/w.pth: 1 tensors hold values that are not finite, stem.weight first")


def test_a_failed_check_leaves_no_file(tmp_path, make):
    def check(loaded):
        assert (loaded.folder / loaded.submission.members[0].file).is_file()
        raise EnvironmentFault("no good")

    refused(tmp_path, make(), "no good", check=check)


def test_weights_are_read_one_member_at_a_time(tmp_path, make, state):
    imported = make()
    events = []

    def source(name):
        def read():
            events.append((name, sorted(p.name for p in tmp_path.glob(".segcube-*/*.safetensors"))))
            return state

        return Source("MedNeXtV1", ARGUMENTS, imported.sources["a.safetensors"].files, read)

    stage = imported.submission.stages[0]
    branch = stage.branches[0].model_copy(
        update={"members": (pending("a.safetensors"), pending("b.safetensors"))}
    )
    submission = imported.submission.model_copy(
        update={"stages": (stage.model_copy(update={"branches": (branch,)}),)}
    )
    both = Imported(
        submission, {n: source(n) for n in ("a.safetensors", "b.safetensors")}, imported.target, "t"
    )
    write_imported(both, tmp_path / "out")
    assert events == [("a.safetensors", []), ("b.safetensors", ["a.safetensors"])]


def test_no_member_lies_outside_the_folder():
    for name in ("../evil.safetensors", "/tmp/evil.safetensors", "a/b.safetensors"):
        with pytest.raises(ValidationError, match="outside the folder"):
            pending(name)


def test_a_text_is_one_line_without_markdown():
    lines = {
        "nnUNetTrainer": "nnUNetTrainer",
        "model_fold0.safetensors": "model_fold0.safetensors",
        "https://doi.org/10.1/a_b#c": "https://doi.org/10.1/a_b#c",
        "a\n\n# Licence: mine": "a # Licence: mine",
        "# Licence": "\\# Licence",
        "- item": "\\- item",
        "1. item": "1\\. item",
        "12) item": "12\\) item",
        "3d_fullres": "3d_fullres",
        "a | b": "a \\| b",
        "[text](https://x)": "\\[text\\](https://x)",
        "![image](x)": "!\\[image\\](x)",
        "<script>": "\\<script\\>",
        "**bold** _it_ `code` ~~gone~~": "\\*\\*bold\\*\\* \\_it\\_ \\`code\\` \\~\\~gone\\~\\~",
        "\x1b[31mred": "\\\\x1b\\[31mred",
        "a\u202eb\x00": "a\\\\u202eb\\\\x00",
        "a\u2028b\x85c": "a b c",
        "\udc80": "\\\\udc80",
        "": "",
    }
    assert {text: plain_text(text) for text in lines} == lines


def test_a_long_text_is_cut():
    assert plain_text("x" * 10_000) == "x" * 500 + "..."
