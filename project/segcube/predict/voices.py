"""The networks that speak for a branch's members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segcube.backends import Backend, MemberFile, Network
from segcube.submission import Branch, Member, Stage


@dataclass(frozen=True)
class Voice:
    """A network and its say in each of the stage's channels, (R,)."""

    network: Network
    weight_r: np.ndarray


def voices_of(
    stage: Stage, branch: Branch, files: Sequence[MemberFile], backend: Backend, apart: bool
) -> list[Voice]:
    """A voice for each member, or one for all where the stage sums their logits and the backend joins them.

    files: of the members, in their order. apart: each member is asked for alone. Raises EnvironmentFault for
    a file that cannot be used.
    """
    weights = [member_weights(member, stage) for member in branch.members]
    if stage.merge == "logits" and not apart:
        joint = backend.join(files, np.stack(weights))
        if joint is not None:
            return [Voice(joint, np.ones_like(weights[0]))]
    return [Voice(backend.load(file), weight_r) for file, weight_r in zip(files, weights, strict=True)]


def branch_weights(branch: Branch, stage: Stage) -> np.ndarray:
    """All its members' say in each of the stage's channels, (R,)."""
    return np.sum([member_weights(member, stage) for member in branch.members], axis=0)


def member_weights(member: Member, stage: Stage) -> np.ndarray:
    """A member's say in each of the stage's channels, (R,)."""
    return np.array([member.weighs(name) for name in stage.names])
