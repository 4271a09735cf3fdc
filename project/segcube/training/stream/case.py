"""A phantom as a training case: made, and prepared by the plan's preprocessing, without a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from segcube.core import Case, Shape
from segcube.formats.nifti import volume_of_arrays
from segcube.phantoms import make_phantom
from segcube.training.cache import CacheRules, CaseTensors, PreparedCase, prepare_case
from segcube.training.recipes import Synthetic


@dataclass(frozen=True)
class StreamRules:
    """How the phantoms of a training are made and prepared."""

    cache: CacheRules
    synthetic: Synthetic


@dataclass(frozen=True, eq=False)
class StreamedCase:
    """A prepared phantom in memory, which patches are drawn from as from a case of the cache."""

    prepared: PreparedCase

    @property
    def shape(self) -> Shape:
        """Voxels along each axis."""
        return self.prepared.shape

    @property
    def classes(self) -> tuple[str, ...]:
        """The outputs that the phantom has voxels of."""
        return tuple(name for name, (first, last) in self.prepared.classes.items() if last > first)

    @property
    def class_voxels(self) -> Mapping[str, np.ndarray]:
        """Stored voxels (N, 3) uint16 of each output; N may be 0."""
        voxels = self.prepared.voxels
        return {name: voxels[first:last] for name, (first, last) in self.prepared.classes.items()}

    @property
    def annotated_voxels(self) -> np.ndarray | None:
        """None: every voxel of a phantom has a label."""
        return None

    @cached_property
    def tensors(self) -> CaseTensors:
        """Image and labels as tensors that share the arrays' memory."""
        prepared = self.prepared
        previous = None if prepared.previous_xyz is None else torch.from_numpy(prepared.previous_xyz)
        present = tuple(np.unique(prepared.labels_xyz).tolist())
        image_cxyz, labels_xyz = torch.from_numpy(prepared.image_cxyz), torch.from_numpy(prepared.labels_xyz)
        return CaseTensors(image_cxyz, labels_xyz, present, previous)


def make_streamed(rules: StreamRules, index: int) -> StreamedCase:
    """Make and prepare the phantom of an index: equal arguments make equal arrays.

    A second stage gets the phantom's own labels as the map of the first. Raises UsageError for a challenge
    that phantoms do not have the channels or labels of.
    """
    challenge, synthetic = rules.cache.challenge, rules.synthetic
    phantom = make_phantom(challenge, synthetic.seed, index, synthetic.spacing, synthetic.generator)
    case, channels = Case(phantom.case, {}, challenge.reference), challenge.channel_names
    volume = volume_of_arrays(case, channels, tuple(phantom.image_cxyz), phantom.grid.affine, challenge)
    previous_xyz = None if rules.cache.cascade is None else phantom.labels_xyz
    return StreamedCase(prepare_case(volume, phantom.labels_xyz, rules.cache, previous_xyz))
