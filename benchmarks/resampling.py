"""Cubic resampling of a 240x240x155 volume to 0.97 mm and back: matrix products against scikit-image."""

import time
from dataclasses import dataclass

import numpy as np
from skimage.transform import resize

from segcube.spec.submission import Spline
from segcube.transforms.resample import Lattice, axis_matrix, plan_resampling

NATIVE = Lattice((240, 240, 155), (1.0, 1.0, 1.0))
FINE = NATIVE.at((0.97, 0.97, 0.97))


@dataclass(frozen=True)
class Measured:
    """One direction: seconds of both, and their largest difference as a share of the input's range."""

    source: Lattice
    target: Lattice
    scikit_image: float
    segcube: float
    difference: float

    @property
    def ratio(self) -> float:
        """How many times as fast segcube is."""
        return self.scikit_image / self.segcube


def measure(source: Lattice, target: Lattice, repeats: int = 3) -> Measured:
    """Resample noise by both, the best of `repeats`; the construction of matrices is included."""
    volume_xyz = np.random.default_rng(0).standard_normal(source.shape, dtype=np.float32)
    resampler = plan_resampling(source, target, Spline(order=3))
    reference, expected_xyz = _best(
        lambda: resize(
            volume_xyz, target.shape, order=3, mode="edge", anti_aliasing=False, preserve_range=True
        ),
        repeats,
    )

    def products():
        axis_matrix.cache_clear()
        return resampler.apply(volume_xyz[None])[0]

    seconds, resampled_xyz = _best(products, repeats)
    difference = np.abs(resampled_xyz - expected_xyz).max() / np.ptp(volume_xyz)
    return Measured(source, target, reference, seconds, float(difference))


def _best(call, repeats):
    seconds, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


if __name__ == "__main__":
    for measured in (measure(NATIVE, FINE), measure(FINE, NATIVE)):
        print(
            f"resampling {measured.source.shape} to {measured.target.shape} at order 3: "
            f"scikit-image {measured.scikit_image:.2f} s, segcube {measured.segcube:.3f} s, "
            f"{measured.ratio:.1f} times as fast, {measured.difference:.1e} of the range apart"
        )
