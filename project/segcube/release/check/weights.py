"""Check the weights files and compiled networks of a submission, each member against its branch."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open

from segcube import networks
from segcube.backends import check_member
from segcube.backends.openvino import read_compiled
from segcube.core import EnvironmentFault, SegcubeError, count_of, install_hint
from segcube.networks import read_metadata
from segcube.release.check.findings import Finding, FindingCode, error, from_fault, warning
from segcube.spec.submission import Member, MemberFile, Submission, member_files, sha256_of


def check_graphs(submission: Submission, folder: Path) -> Iterator[Finding]:
    """Report damaged compiled networks as errors, since they end a run, and missing ones as a warning."""
    try:
        compiled = read_compiled(folder).at_hand()
    except EnvironmentFault as fault:
        yield from_fault(fault, FindingCode.GRAPH)
        return
    missing = [m.file.name for m in member_files(submission, folder) if m not in compiled]
    if missing:
        yield warning(
            FindingCode.NOT_COMPILED,
            f"no compiled network for {', '.join(dict.fromkeys(missing))}",
            file=folder,
            hint=f"run `segcube compile {folder}`",
        )


FOREIGN = (".pth", ".pt", ".ckpt", ".pkl", ".bin", ".onnx")
"""Extensions of checkpoints that segcube does not load at run time."""
FLOATS = ("F64", "F32", "F16")
"""Kinds of tensors whose values numpy can check."""
WITHOUT_TORCH = (
    "not checked without torch: that each file has all tensors of its network, in its shapes; "
    + install_hint("torch")
)


@dataclass(frozen=True)
class CheckedWeights:
    """Findings about the members' files, and their total size."""

    findings: tuple[Finding, ...]
    size: int
    """Bytes of all files."""
    parameters: int
    """Of all networks that could be loaded; without torch, all values of all files."""

    def facts(self, submission: Submission) -> list[str]:
        """Return the totals in one line, and what could not be checked in another."""
        members = count_of(len(submission.members), "member")
        size = f"{self.size / 1e6:.1f} MB, {_short(self.parameters)} parameters"
        totals = f"{submission.name} for {', '.join(submission.challenge_keys)}: {members}, {size}"
        return [totals] if _torch_is_installed() else [totals, WITHOUT_TORCH]


def _short(number: int) -> str:
    """Format a number in millions or thousands: 1.2 M, 12 k, 640."""
    if number >= 1e6:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1e3:.0f} k" if number >= 1e3 else str(number)


def check_weights(submission: Submission, folder: Path) -> CheckedWeights:
    """Check file, sha256, metadata, channels and weights of every member, one network in memory at a time."""
    findings: list[Finding] = []
    size = parameters = 0
    first: dict[str, str] = {}
    wanted = member_files(submission, folder)
    for member, want in zip(submission.members, wanted, strict=True):
        findings += _file_findings(member, folder, first)
        if not (folder / member.file).is_file():
            continue
        size += want.file.stat().st_size
        findings += _branch_findings(want)
        parameters += _load(want.file, findings)
    findings += _unused(submission, folder)
    return CheckedWeights(tuple(findings), size, parameters)


def _file_findings(member: Member, folder: Path, first: dict[str, str]) -> Iterator[Finding]:
    """Report a missing, changed or repeated file. first: the first file with each sha256; is updated."""
    file = folder / member.file
    if not file.is_file():
        yield error(FindingCode.MISSING_WEIGHTS, "no such file beside submission.yaml", file=file)
        return
    found = sha256_of(file)
    if found != member.sha256:
        yield error(
            FindingCode.SHA256,
            f"sha256 {found}",
            file=file,
            expected=f"sha256 {member.sha256}, as in submission.yaml",
        )
    if first.setdefault(found, member.file) != member.file:
        yield warning(FindingCode.SAME_WEIGHTS, f"the same weights as {first[found]}", file=file)


def _branch_findings(member: MemberFile) -> Iterator[Finding]:
    try:
        read_metadata(member.file)
    except SegcubeError:
        # Loading the network reports the same
        return
    try:
        check_member(member)
    except SegcubeError as fault:
        yield from_fault(fault, FindingCode.MEMBER, member.file)


def _load(file: Path, findings: list[Finding]) -> int:
    """Load a member strictly; returns its number of parameters, or 0 and adds a finding."""
    try:
        if not _torch_is_installed():
            return _count_finite(file)
        network = networks.load_network(file, None)
    except SegcubeError as fault:
        findings.append(from_fault(fault, FindingCode.WEIGHTS, file))
        return 0
    except MemoryError:
        findings.append(error(FindingCode.WEIGHTS, "not enough memory to load it", file=file))
        return 0
    return sum(parameter.numel() for parameter in network.parameters())


def _torch_is_installed() -> bool:
    return importlib.util.find_spec("torch") is not None


def _count_finite(file: Path) -> int:
    """The number of values in a weights file. Raises EnvironmentFault for values that are not finite."""
    read_metadata(file)
    count = 0
    with safe_open(file, framework="np") as tensors:
        for name in tensors.keys():  # noqa: SIM118
            about = tensors.get_slice(name)
            if about.get_dtype() in FLOATS and not np.isfinite(tensors.get_tensor(name)).all():
                raise EnvironmentFault(f"{name} holds values that are not finite", file=file)
            count += math.prod(about.get_shape())
    return count


def _unused(submission: Submission, folder: Path) -> Iterator[Finding]:
    named = {folder / member.file for member in submission.members}
    for file in sorted(folder.rglob("*")):
        if file in named or file.suffix not in (".safetensors", *FOREIGN) or not file.is_file():
            continue
        reason = "" if file.suffix == ".safetensors" else "; segcube does not load such files"
        yield warning(
            FindingCode.UNUSED_WEIGHTS,
            f"{file.stat().st_size / 1e6:.1f} MB that no member names{reason}",
            file=file,
        )
