"""The members of a submission that a soup may average."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segcube.core import UsageError
from segcube.spec.submission import LoadedSubmission, Member, check_sha256, load_for_challenge, sha256_of


@dataclass(frozen=True)
class Candidates:
    """A submission, and the stage whose members are averaged."""

    loaded: LoadedSubmission
    stage: str

    @property
    def members(self) -> tuple[Member, ...]:
        """The members of the stage's only branch, in the submission's order."""
        return next(s for s in self.loaded.submission.stages if s.name == self.stage).branches[0].members

    @property
    def files(self) -> list[Path]:
        """The weights of these members."""
        return [self.loaded.folder / member.file for member in self.members]


def read_candidates(folder: Path, stage: str | None = None) -> Candidates:
    """Read a submission whose stage (the last by default) has one branch of several members.

    Raises UsageError for an unknown stage, several branches or a single member; EnvironmentFault for a folder
    or weights that do not match submission.yaml.
    """
    loaded = load_for_challenge(folder)
    names = [one.name for one in loaded.submission.stages]
    name = stage or names[-1]
    if name not in names:
        raise UsageError(f"no stage {name!r}", file=folder, expected="one of " + ", ".join(names))
    candidates = Candidates(loaded, name)
    branches = loaded.submission.stages[names.index(name)].branches
    if len(branches) > 1 or len(candidates.members) < 2:
        raise UsageError(
            f"stage {name} has {len(branches)} branches, and {len(candidates.members)} members in the first",
            file=folder,
            expected="one branch with the members to average",
        )
    for member, file in zip(candidates.members, candidates.files, strict=True):
        check_sha256(sha256_of(file), member.sha256, file)
    return candidates
