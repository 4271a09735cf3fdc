"""The plans that are compared.

The seeds make brains that crop to about 135 x 176 x 138 voxels, so eight windows, and hearts of
640 x 640 x 44, 80 windows; the coarser ones take two and 20.
"""

from __future__ import annotations

from dataclasses import replace

from versus.specs import Plan

CUBES = ((3, 3, 3),) * 6
HALVINGS = ((1, 1, 1), *((2, 2, 2),) * 5)
FLAT = (*((1, 3, 3),) * 2, *((3, 3, 3),) * 4)
FLAT_HALVINGS = ((1, 1, 1), *((1, 2, 2),) * 2, *((2, 2, 2),) * 3)

BRATS = Plan(
    name="ResEncUNet 6 M, BraTS",
    challenge="brats2023-gli",
    channels=("t1n", "t1c", "t2w", "t2f"),
    labels=("background", "NCR", "ED", "ET"),
    patch=(128, 128, 128),
    spacing=(1.0, 1.0, 1.0),
    masked=True,
    features=(16, 32, 64, 96, 112, 112),
    blocks=(1, 2, 2, 2, 2, 2),
    kernels=CUBES,
    strides=HALVINGS,
    seed=2033,
)
MBAS = Plan(
    name="ResEncUNet 6 M, MBAS",
    challenge="mbas2024",
    channels=("lge",),
    labels=("background", "wall", "RA", "LA"),
    patch=(16, 256, 256),
    spacing=(2.5, 0.625, 0.625),
    masked=False,
    features=BRATS.features,
    blocks=BRATS.blocks,
    kernels=FLAT,
    strides=FLAT_HALVINGS,
    seed=12351,
)
COARSE = replace(
    BRATS, name="ResEncUNet 6 M, BraTS in voxels of 2 x 2 x 1 mm", spacing=(2.0, 2.0, 1.0), coarser=(2, 2, 1)
)
MBAS_COARSE = replace(
    MBAS, name="ResEncUNet 6 M, MBAS in pixels of 1.25 mm", spacing=(2.5, 1.25, 1.25), coarser=(1, 2, 2)
)
RESENC_M = replace(
    BRATS, name="ResEncM 102 M, BraTS", features=(32, 64, 128, 256, 320, 320), blocks=(1, 3, 4, 6, 6, 6)
)
TINY = replace(
    BRATS,
    name="tiny, BraTS",
    patch=(32, 32, 32),
    spacing=(3.0, 3.0, 3.0),
    features=(4, 8, 8),
    blocks=(1, 1, 1),
    kernels=CUBES[:3],
    strides=HALVINGS[:3],
    coarser=(3, 3, 3),
)
TINY_FLAT = replace(
    MBAS,
    name="tiny, MBAS",
    patch=(16, 64, 64),
    spacing=(2.5, 2.5, 2.5),
    features=TINY.features,
    blocks=TINY.blocks,
    kernels=FLAT[1:4],
    strides=(*FLAT_HALVINGS[:2], *HALVINGS[-1:]),
    coarser=(1, 4, 4),
)
