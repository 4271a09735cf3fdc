"""Invalid submissions: each ends the run with exit code 5 before its first case."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import yaml

from .make_streams import LFS
from .make_submission import FILE


def change(folder: Path, apply: Callable[[dict], object]) -> None:
    """Rewrite submission.yaml."""
    file = folder / "submission.yaml"
    content = yaml.safe_load(file.read_text())
    apply(content)
    file.write_text(yaml.safe_dump(content))


def put(content: bytes):
    """Replace the weights file by other bytes with a matching sha256."""

    def apply(folder: Path) -> None:
        (folder / FILE).write_bytes(content)
        sign(folder)

    return apply


def sign(folder: Path) -> None:
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    change(folder, lambda content: member_of(content).update(sha256=digest))


def member_of(content: dict) -> dict:
    return content["stages"][0]["branches"][0]["members"][0]


def edited(edit: Callable[[dict[str, np.ndarray]], object]):
    """Replace the tensors; keep the metadata and update the sha256."""

    def apply(folder: Path) -> None:
        tensors, card = read(folder)
        edit(tensors)
        safetensors.numpy.save_file(tensors, folder / FILE, card)
        sign(folder)

    return apply


def carded(edit: Callable[[dict], object]):
    """Replace the metadata and update the sha256."""

    def apply(folder: Path) -> None:
        tensors, metadata = read(folder)
        card = json.loads(metadata["segcube"])
        edit(card)
        safetensors.numpy.save_file(tensors, folder / FILE, {"segcube": json.dumps(card)})
        sign(folder)

    return apply


def read(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    content = (folder / FILE).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return safetensors.numpy.load(content), json.loads(content[8 : 8 + length])["__metadata__"]


def first(tensors: dict[str, np.ndarray]) -> str:
    return sorted(tensors)[0]


def with_value(value: float):
    def edit(tensors: dict[str, np.ndarray]) -> None:
        tensors[first(tensors)].flat[0] = value

    return edited(edit)


def flipped(folder: Path) -> None:
    content = bytearray((folder / FILE).read_bytes())
    content[-1] ^= 1
    (folder / FILE).write_bytes(content)


def instead(make: Callable[[Path], object]):
    def apply(folder: Path) -> None:
        (folder / FILE).unlink()
        make(folder / FILE)

    return apply


def outside(folder: Path) -> None:
    shutil.copy(folder / FILE, folder.parent)
    change(folder, lambda content: member_of(content).update(file=f"../{FILE}"))


def text(content: str):
    return lambda folder: (folder / "submission.yaml").write_text(content)


WEIGHTS: dict[str, Callable[[Path], object]] = {
    "folder_not_there": shutil.rmtree,
    "folder_empty": lambda folder: (shutil.rmtree(folder), folder.mkdir()),
    "no_submission_yaml": lambda folder: (folder / "submission.yaml").unlink(),
    "submission_empty": text(""),
    "submission_of_bytes": lambda folder: (folder / "submission.yaml").write_bytes(b"\xff\xfe\0"),
    "submission_a_list": text("- 1\n- 2\n"),
    "submission_a_fifo": lambda folder: (
        (folder / "submission.yaml").unlink(),
        os.mkfifo(folder / "submission.yaml"),
    ),
    "channel_unknown": lambda folder: change(
        folder, lambda content: content["stages"][0]["branches"][0].update(channels=["t9"])
    ),
    "member_missing": lambda folder: (folder / FILE).unlink(),
    "member_outside_the_folder": outside,
    "member_a_folder": instead(lambda file: file.mkdir()),
    "member_a_fifo": instead(os.mkfifo),
    "member_a_dangling_link": instead(lambda file: file.symlink_to("nowhere")),
    "member_a_device": instead(lambda file: file.symlink_to("/dev/zero")),
    "member_changed": flipped,
    "member_cut_and_signed": lambda folder: (
        os.truncate(folder / FILE, (folder / FILE).stat().st_size // 2),
        sign(folder),
    ),
    "member_longer_and_signed": lambda folder: put((folder / FILE).read_bytes() + b"\0" * 8)(folder),
    "member_empty": put(b""),
    "member_an_lfs_pointer": put(LFS),
    "member_a_pickle": put(pickle.dumps({"weight": [1.0]})),
    "member_with_an_endless_header": put(struct.pack("<Q", 2**63) + b"{}"),
    "member_without_a_card": put(safetensors.numpy.save({"a": np.zeros(3, "f4")})),
    "card_of_another_network": carded(lambda card: card.update(network="NoSuchNet")),
    "card_of_other_arguments": carded(lambda card: card["arguments"].update(features_per_stage=[4, 4, 4])),
    "card_of_unknown_arguments": carded(lambda card: card["arguments"].update(nonsense=1)),
    "card_of_a_giant": carded(lambda card: card["arguments"].update(features_per_stage=[10**9] * 3)),
    "card_without_arguments": carded(lambda card: card.pop("arguments")),
    "card_of_code": carded(lambda card: card["arguments"].update(nonlin="os.system")),
    "a_value_nan": with_value(np.nan),
    "a_tensor_missing": edited(lambda tensors: tensors.pop(first(tensors))),
    "a_tensor_more": edited(lambda tensors: tensors.update(more=np.zeros(3, "f4"))),
    "a_tensor_renamed": edited(lambda tensors: tensors.update(other=tensors.pop(first(tensors)))),
    "a_tensor_of_another_shape": edited(lambda tensors: tensors.update({first(tensors): np.zeros(99, "f4")})),
}


@pytest.mark.parametrize("fault", WEIGHTS)
def test_invalid_weights_end_the_run(commands, data, weights, room, fault):
    folder = room / "weights"
    shutil.copytree(weights, folder)
    WEIGHTS[fault](folder)
    ended = commands.run(data, room / "out", weights=folder).expect(5, sound={})
    assert ended.report is None
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert str(folder) in line
    assert not (room / "out").exists()


def test_weights_in_half_precision_are_valid(commands, data, weights, room):
    folder = room / "weights"
    shutil.copytree(weights, folder)
    edited(lambda tensors: tensors.update({n: t.astype("f2") for n, t in tensors.items()}))(folder)
    assert commands.run(data, room / "out", weights=folder).code == 0
