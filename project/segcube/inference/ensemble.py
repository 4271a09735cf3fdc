"""The members of a branch and their mirrors, streamed into one weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from segcube.backends import Backend, MemberFile, Network
from segcube.core import Array, Clock, array_namespace
from segcube.inference.activation import activate
from segcube.inference.sliding_window import Pass, slide
from segcube.inference.windows import WindowPlan
from segcube.inference.workspace import Workspace
from segcube.spec.submission import Branch, Member, Stage


@dataclass(frozen=True)
class WeightedMember:
    """A network and its say in each of the stage's channels, (R,)."""

    network: Network
    weight_r: np.ndarray


def voices_of(
    stage: Stage, branch: Branch, files: Sequence[MemberFile], backend: Backend, apart: bool
) -> list[WeightedMember]:
    """A voice for each member, or one for all where the stage sums their logits and the backend joins them.

    files: of the members, in their order. apart: each member is asked for alone. Raises EnvironmentFault for
    a file that cannot be used.
    """
    weights = [member_weights(member, stage) for member in branch.members]
    if stage.merge == "logits" and not apart:
        joint = backend.join(files, np.stack(weights))
        if joint is not None:
            return [WeightedMember(joint, np.ones_like(weights[0]))]
    return [
        WeightedMember(backend.load(file), weight_r) for file, weight_r in zip(files, weights, strict=True)
    ]


def branch_weights(branch: Branch, stage: Stage) -> np.ndarray:
    """All its members' say in each of the stage's channels, (R,)."""
    return np.sum([member_weights(member, stage) for member in branch.members], axis=0)


def member_weights(member: Member, stage: Stage) -> np.ndarray:
    """A member's say in each of the stage's channels, (R,)."""
    return np.array([member.weighs(name) for name in stage.names])


def mirrors(axes: Sequence[int]) -> list[tuple[int, ...]]:
    """Every combination of axes to mirror, the plain view first; no axes give the plain view alone."""
    return [chosen for size in range(len(axes) + 1) for chosen in combinations(sorted(axes), size)]


def mirror_axes(flips: Sequence[str], axes: str) -> tuple[int, ...]:
    """The array axes of mirrors named x, y, z in a branch whose array axes are `axes`, such as zyx."""
    return tuple(sorted(axes.index(name) for name in flips))


SLAB = 16

OnMember = Callable[[Member, Array], None]
"""Takes a member and what it alone says, in the stage's channels."""


@dataclass(frozen=True)
class Ensemble:
    """A branch of a stage, its voices, and how it is run."""

    stage: Stage
    branch: Branch
    voices: Sequence[WeightedMember]
    """One a member in their order, unless the stage sums logits and no member is asked for alone."""
    matrix_rk: np.ndarray | None
    """Sums the networks' channels into the stage's; None where they are the same."""
    flips: bool
    clock: Clock
    on_member: OnMember | None = None

    def run(self, image_cxyz: Array, plan: WindowPlan, space: Workspace) -> Array:
        """sum_n weight_n * x_n over the members, (R, X, Y, Z) in the stage's channels.

        x_n: the mean of member n's mirrors, in what the window averages; as probabilities if the stage merges
        those.
        Raises DeviceMemoryError.
        """
        shape = image_cxyz.shape[1:]
        # Both sums stand before the first window and serve every member: the peak of memory stays the same
        logits_kxyz = space.zeros(len(self.branch.outputs.names), shape)
        if self._sums_logits:
            slide(image_cxyz, self._passes(plan), logits_kxyz, space, self.clock)
            return logits_kxyz
        sum_rxyz = space.zeros(len(self.stage.names), shape)
        for member, voice in zip(self.branch.members, self.voices, strict=True):
            logits_kxyz[...] = 0
            slide(image_cxyz, self._looks(voice.network, plan), logits_kxyz, space, self.clock)
            self._add(sum_rxyz, logits_kxyz, space.upload(voice.weight_r), space)
            if self.on_member is not None:
                alone_rxyz = space.zeros(len(self.stage.names), shape)
                self._add(alone_rxyz, logits_kxyz, space.upload(np.ones_like(voice.weight_r)), space)
                self.on_member(member, alone_rxyz)
        return sum_rxyz

    def only_pass(self, plan: WindowPlan) -> Pass | None:
        """The pass whose sum alone decides the labels that `run` gives; None where there are more.

        What one member's probabilities are made of has their order.
        """
        alone = len(self.voices) == 1 and self.matrix_rk is None and self.on_member is None
        passes = self._passes(plan) if alone else []
        return passes[0] if len(passes) == 1 else None

    @property
    def _sums_logits(self) -> bool:
        return self.stage.merge == "logits" and self.on_member is None

    def _passes(self, plan: WindowPlan) -> list[Pass]:
        """Of all voices, each with its say."""
        return [
            replace(look, weight_k=look.weight_k * voice.weight_r)
            for voice in self.voices
            for look in self._looks(voice.network, plan)
        ]

    def _looks(self, network: Network, plan: WindowPlan) -> list[Pass]:
        """The mirrors of one voice: of each window (nnU-Net), or of the whole grid (MONAI)."""
        axes = mirror_axes(self.branch.flips, self.branch.axes) if self.flips else ()
        chosen = mirrors(axes)
        share_k = np.full(len(self.branch.outputs.names), 1 / len(chosen))
        kind = self.branch.outputs.kind if self.branch.window.average == "probabilities" else None
        if self.branch.window.plan == "monai":
            return [Pass(network, plan.mirrored(m), (m,), share_k, kind) for m in chosen]
        return [Pass(network, plan, tuple(chosen), share_k, kind)]

    def _add(self, sum_rxyz: Array, logits_kxyz: Array, weight_r: Array, space: Workspace) -> None:
        """Add a member to the sum, slab by slab, so that no second volume of temporaries stands."""
        xp = array_namespace(logits_kxyz)
        matrix_rk = None if self.matrix_rk is None else space.upload(self.matrix_rk)
        for first in range(0, logits_kxyz.shape[1], SLAB):
            slab = (slice(None), slice(first, first + SLAB))
            values_kxyz = logits_kxyz[slab]
            if self.stage.merge == "probabilities" and self.branch.window.average == "logits":
                values_kxyz = activate(values_kxyz, self.branch.outputs.kind)
            if matrix_rk is not None:
                values_kxyz = xp.tensordot(matrix_rk, values_kxyz, axes=([1], [0]))
            sum_rxyz[slab] += weight_r[:, None, None, None] * values_kxyz
