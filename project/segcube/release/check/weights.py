"""Check the weights files of a submission, each member against its own branch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segcube.backends import MemberFile, check_member, member_files
from segcube.backends.openvino import read_compiled
from segcube.core import EnvironmentFault, SegcubeError
from segcube.networks import load_network, read_metadata
from segcube.release.check.findings import Finding, FindingCode, count_of, error, from_fault, warning
from segcube.spec.submission import Member, Submission, sha256_of


def check_graphs(submission: Submission, folder: Path) -> Iterator[Finding]:
    """A graph that is damaged is an error, for the run ends there; members without one are a warning."""
    try:
        compiled = read_compiled(folder).at_hand()
    except EnvironmentFault as fault:
        yield from_fault(fault, FindingCode.GRAPH)
        return
    missing = [m.file.name for m in member_files(submission, folder) if m not in compiled]
    if missing:
        yield warning(
            FindingCode.NOT_COMPILED,
            f"no compiled graph for {', '.join(dict.fromkeys(missing))}",
            file=folder,
            expected="one a member and window, or every run on a CPU compiles anew",
            hint=f"run segcube compile {folder}",
        )


FOREIGN = (".pth", ".pt", ".ckpt", ".pkl", ".bin", ".onnx")
"""Endings of other people's checkpoints."""


@dataclass(frozen=True)
class CheckedWeights:
    """What was found about the members' files, and what they add up to."""

    findings: tuple[Finding, ...]
    size: int
    """Bytes of all files."""
    parameters: int
    """Of all networks that could be built."""

    def fact(self, submission: Submission) -> str:
        """The sums in one line."""
        members = count_of(len(submission.members), "member")
        size = f"{self.size / 1e6:.1f} MB, {self.parameters / 1e6:.1f} M parameters"
        return f"{submission.name} for {', '.join(submission.keys)}: {members}, {size}"


def check_weights(submission: Submission, folder: Path) -> CheckedWeights:
    """Check every member: file, digest, card, channels, values and keys; one network is held at a time."""
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
    """What is wrong with the file as such. first: who brought each digest so far."""
    file = folder / member.file
    if not file.is_file():
        yield error(
            FindingCode.MISSING_WEIGHTS,
            "no such file beside submission.yaml",
            file=file,
            expected="the weights that submission.yaml names",
            hint="put the file there, or fix the member's entry",
        )
        return
    found = sha256_of(file)
    if found != member.sha256:
        yield error(
            FindingCode.SHA256,
            f"sha256 {found}",
            file=file,
            expected=f"sha256 {member.sha256}, as submission.yaml says",
            hint="fetch the file again, or fix the entry if the file was changed on purpose",
        )
    if first.setdefault(found, member.file) != member.file:
        yield warning(
            FindingCode.SAME_WEIGHTS,
            f"the same weights as {first[found]}",
            file=file,
            expected="another model in each file",
            hint="export the other fold again; give a member more weight by `weight`",
        )


def _branch_findings(member: MemberFile) -> Iterator[Finding]:
    try:
        read_metadata(member.file)
    except SegcubeError:
        # Loading says the same
        return
    try:
        check_member(member)
    except SegcubeError as fault:
        yield from_fault(fault, FindingCode.MEMBER, member.file)


def _load(file: Path, findings: list[Finding]) -> int:
    """Build a network and load its weights strictly; returns its parameters, 0 with a finding."""
    try:
        network = load_network(file, None)
    except SegcubeError as fault:
        findings.append(from_fault(fault, FindingCode.WEIGHTS, file))
        return 0
    except MemoryError:
        findings.append(error(FindingCode.WEIGHTS, "too little memory to load it", file=file))
        return 0
    return sum(parameter.numel() for parameter in network.parameters())


def _unused(submission: Submission, folder: Path) -> Iterator[Finding]:
    named = {folder / member.file for member in submission.members}
    for file in sorted(folder.rglob("*")):
        if file in named or file.suffix not in (".safetensors", *FOREIGN) or not file.is_file():
            continue
        opened = "" if file.suffix == ".safetensors" else "; segcube opens no such file"
        yield warning(
            FindingCode.UNUSED_WEIGHTS,
            f"{file.stat().st_size / 1e6:.1f} MB that no member names{opened}",
            file=file,
            expected="the weights of submission.yaml alone",
            hint="remove it, or it rides along in the image",
        )
