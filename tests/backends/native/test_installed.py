"""Which native kernels a process uses: SEGCUBE_KERNELS and the self-test."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from segcube.backends.native import installed, kernels_summary
from segcube.backends.native.installed import (
    FAILED_SELFTEST,
    SELFTEST_MEANS,
    VARIABLE,
    constants,
    find_kernels,
    passes_selftest,
)
from segcube.backends.native.kernels import NativeKernels
from segcube.backends.native.library import NoLibrary
from segcube.core import EnvironmentFault, UsageError


@pytest.fixture(autouse=True)
def found_anew(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    installed._find_kernels.cache_clear()
    yield
    installed._find_kernels.cache_clear()


def numbers(*shape: int) -> torch.Tensor:
    return torch.from_numpy(constants(*shape)).double()


def scaled(first: int, second: int, edge: int) -> torch.Tensor:
    return numbers(first, second, edge, edge, edge) / (second * edge**3) ** 0.5


def normed(image: torch.Tensor) -> torch.Tensor:
    """An instance norm with a leaky rectifier."""
    return functional.leaky_relu(functional.instance_norm(image[None], None, None, *[numbers(8)] * 2)[0], 0.1)


def test_the_stored_means_are_torchs():
    image = functional.conv3d(numbers(4, 4, 14, 16), scaled(8, 4, 3), numbers(8), padding=1)
    depthwise = scaled(8, 1, 3)
    mixed = functional.conv3d(normed(image), depthwise, numbers(8), padding=1, groups=8)
    pooled = functional.avg_pool3d(normed(mixed), 2)
    expanded = functional.gelu(functional.conv3d(pooled, scaled(16, 8, 1), numbers(16)))
    hidden = pooled + functional.conv3d(expanded, scaled(8, 16, 1), numbers(8))
    upsampled = functional.conv_transpose3d(hidden, scaled(8, 8, 2), numbers(8), stride=2)
    total = functional.leaky_relu(normed(image) + upsampled, 0.1)
    spread = functional.conv_transpose3d(hidden, depthwise, numbers(8), stride=2, padding=1, groups=8)
    inner = total[:, 1:, 1:, 1:].clone() + spread + numbers(8)[:, None, None, None]
    inner[:, ::2, ::2, ::2] += hidden
    added = total.clone()
    added[:, 1:, 1:, 1:] = inner
    logits = functional.conv3d(added, scaled(2, 8, 1), numbers(2)).flip(1, 3)
    channel_weights = torch.tensor([1, -0.5])[:, None, None, None]
    result = (logits + total[:2]) * channel_weights * numbers(4, 14, 16)
    np.testing.assert_allclose(result.mean(dim=(1, 2)).numpy(), SELFTEST_MEANS, atol=1e-6)


def test_kernels_pass_the_selftest(kernels):
    assert passes_selftest(kernels)


@pytest.mark.parametrize("kernels", [8], indirect=True)
def test_a_wrong_result_fails_the_selftest(kernels):
    expected = SELFTEST_MEANS.copy()
    expected[1, 7] += 1e-3
    assert not passes_selftest(kernels, expected)


@pytest.mark.parametrize("kernels", [8], indirect=True)
@pytest.mark.parametrize("factor", [1.5, np.nan])
def test_a_wrong_kernel_fails_the_selftest(kernels, factor):
    class Wrong(NativeKernels):
        def pool(self, image, block, out):
            super().pool(image, block, out)
            out[3, 1, 2, 4:] *= factor

    assert not passes_selftest(Wrong(kernels.library, "wrong"))


def test_kernels_that_fail_the_selftest_are_not_used(monkeypatch):
    if isinstance(find_kernels(), str):
        pytest.skip("no kernels for this processor are installed")
    installed._find_kernels.cache_clear()
    monkeypatch.setattr(installed, "TOLERANCE", -1.0)
    assert find_kernels() == FAILED_SELFTEST
    assert kernels_summary() == f"none ({FAILED_SELFTEST})"


def test_a_variable_turns_kernels_off(monkeypatch):
    monkeypatch.setenv(VARIABLE, "off")
    assert find_kernels() == f"{VARIABLE}=off"


def test_a_variable_selects_the_build(monkeypatch):
    found = find_kernels()
    if isinstance(found, str):
        pytest.skip("no kernels for this processor are installed")
    monkeypatch.setenv(VARIABLE, "avx2")
    assert kernels_summary() == "avx2"


def test_an_unknown_build_is_refused(monkeypatch):
    monkeypatch.setenv(VARIABLE, "avx1024")
    with pytest.raises(UsageError, match=r"auto, off, avx512, avx2"):
        find_kernels()


def test_a_selected_build_that_cannot_be_loaded_is_refused(monkeypatch):
    def fail(**_: object) -> None:
        raise NoLibrary("this processor has no AVX512")

    monkeypatch.setattr(installed, "load_library", fail)
    monkeypatch.setenv(VARIABLE, "avx512")
    with pytest.raises(EnvironmentFault, match="no AVX512"):
        find_kernels()
