from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from segcube.backends import DeviceMemoryError
from segcube.backends.cuda.backend import CudaBackend, open_cuda
from segcube.backends.cuda.captures import Captures
from segcube.backends.torch_cpu import TorchBackend
from segcube.core import Compile
from segcube.spec.submission import MemberFile

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
NEAR = {"fp32": 1e-3, "fp16": 0.03, "bf16": 0.2}
"""Of logits of order one."""
MB = 2**20


def opened(precision: str = "fp16", compiling: Compile = "auto", log: Callable[[str], None] = print):
    return open_cuda("cuda:0", precision, compiling, log)


def captured(backend: CudaBackend, when: Compile) -> CudaBackend:
    """The same networks on the device, captured in another way."""
    return replace(backend, captures=Captures(when, backend.log))


def batch(windows: int = 2, seed: int = 0, edge: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(windows, 2, edge, edge, edge, generator=generator).cuda()


@pytest.fixture
def mednexts(tmp_path: Path, save_member) -> list[MemberFile]:
    return [file_of(save_member(tmp_path, 2, 3, seed), tmp_path) for seed in (0, 1)]


@pytest.fixture
def saved(tmp_path: Path, mednexts, save_unet) -> list[MemberFile]:
    return [*mednexts, file_of(save_unet(tmp_path, 2, 3), tmp_path)]


def file_of(entry: dict[str, str], folder: Path) -> MemberFile:
    return MemberFile(folder / entry["file"], entry["sha256"], 2, 3, (32, 32, 32))


@contextmanager
def no_more_than(room: int) -> Generator[None, None, None]:
    """Let torch take so many bytes more than it holds."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + room) / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def settled() -> int:
    """Bytes that torch holds, caches aside."""
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved()


@pytest.mark.parametrize("precision", NEAR)
def test_logits_are_those_of_plain_torch_on_the_cpu(precision, saved):
    cpu, cuda = TorchBackend("cpu", "fp32", "a test"), opened(precision)
    for member in saved:
        found = cuda.load(member)(batch())
        assert found.dtype == torch.float32
        torch.testing.assert_close(
            found.cpu(), cpu.load(member)(batch().cpu()), atol=NEAR[precision], rtol=0.02, check_stride=False
        )


@pytest.mark.parametrize("precision", NEAR)
def test_captured_forwards_have_the_bits_of_plain_ones(precision, saved):
    backend = opened(precision)
    plain, replayed = captured(backend, "off"), captured(backend, "on")
    for member in saved:
        for seed in range(4):
            x = batch(seed=seed)
            assert torch.equal(replayed.load(member)(x), plain.load(member)(x))
    assert len(replayed.captures.graphs) == len(saved)


def test_a_smaller_last_batch_agrees_with_a_whole_one(saved):
    backend = captured(opened(), "on")
    for member in saved:
        network = backend.load(member)
        x = batch(4)
        for _ in range(3):
            whole = network(x).clone()
            alone = torch.cat([network(window[None]).clone() for window in x])
        torch.testing.assert_close(alone, whole, atol=NEAR["fp16"], rtol=0.02)


def test_the_same_input_gives_the_same_bytes(saved):
    first, second = opened(), opened()
    for member in saved:
        assert torch.equal(first.load(member)(batch()), second.load(member)(batch()))


def test_members_share_the_memory_of_captured_forwards(mednexts):
    backend, x = captured(opened(), "on"), batch(16, edge=64)
    networks = [backend.load(member) for member in mednexts]
    held = [settled()]
    for network in networks:
        network(x)
        network(x)
        held.append(settled())
    assert len(backend.captures.graphs) == 2
    assert held[2] - held[1] < (held[1] - held[0]) / 2


def test_release_gives_back_captured_forwards_and_they_come_again(mednexts):
    backend, x = captured(opened(), "on"), batch(16, edge=64)
    network = backend.load(mednexts[0])
    expected = network(x).cpu()
    before = settled()
    network(x)
    assert settled() > before + 120 * MB
    backend.release()
    assert settled() < before + 48 * MB
    assert torch.equal(network(x).cpu(), expected)
    assert backend.captures.graphs


def test_captured_forwards_give_way_to_a_larger_batch(mednexts, log):
    backend = captured(opened(log=log.append), "on")
    network = backend.load(mednexts[0])
    small, large = batch(16, edge=64), batch(17, edge=64)
    # Of another backend: a shape that ran before would be captured too, in the memory of the first
    expected = opened().load(mednexts[0])(large).clone()
    network(small)
    network(small)
    assert backend.captures.graphs
    with no_more_than(4 * MB):
        found = network(large)
    # Where memory is short, cuDNN may take another way to the same sums
    torch.testing.assert_close(found, expected, atol=NEAR["fp16"], rtol=0.02)
    assert ["no longer captured" in line for line in log] == [True]


def test_a_batch_that_cannot_fit_raises_device_memory_error(mednexts):
    network, large = opened().load(mednexts[0]), batch(16, edge=64)
    with no_more_than(4 * MB), pytest.raises(DeviceMemoryError):
        network(large)
    assert network(batch()).isfinite().all()


def test_weights_that_do_not_fit_together_are_read_in_turn(tmp_path, log):
    members = [heavy_unet(tmp_path, seed) for seed in (0, 1)]
    expected = [opened().load(member)(batch()).clone() for member in members]
    before = torch.cuda.memory_allocated()
    backend = opened(log=log.append)
    backend.load(members[0])
    held = torch.cuda.memory_allocated() - before
    # Reading one takes twice that in full precision, and once more for autocast's copy
    with no_more_than(3 * held - 4 * MB):
        backend.load(members[1])
    assert [key[0] for key in backend.residents] == [members[1]]
    assert len(log) == 1
    found = [backend.load(member)(batch()).clone() for member in members]
    assert [key[0] for key in backend.residents] == [members[1]]
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert len(log) == 1


def heavy_unet(folder: Path, seed: int) -> MemberFile:
    """One convolution of 57 MB in half precision."""
    from segcube.networks import build_network, save_network

    torch.manual_seed(seed)
    arguments = {
        "input_channels": 2,
        "num_classes": 3,
        "n_stages": 2,
        "features_per_stage": [4, 1024],
        "kernel_sizes": [[3, 3, 3]] * 2,
        "strides": [[1, 1, 1], [2, 2, 2]],
        "n_conv_per_stage": [1, 2],
        "n_conv_per_stage_decoder": [1],
        "norm_op": "torch.nn.InstanceNorm3d",
        "nonlin": "torch.nn.LeakyReLU",
    }
    file = folder / f"heavy{seed}.safetensors"
    sha256 = save_network(build_network("PlainConvUNet", arguments), "PlainConvUNet", arguments, file)
    return MemberFile(file, sha256, 2, 3, (32, 32, 32))


def test_full_precision_reads_the_weights_again(mednexts):
    half = opened("fp16")
    full = half.in_fp32()
    expected = opened("fp32").load(mednexts[0])(batch())
    assert not torch.equal(half.load(mednexts[0])(batch()), expected)
    assert torch.equal(full.load(mednexts[0])(batch()), expected)
    assert len(half.residents) == 2


@pytest.mark.parametrize("shape", [(3, 5, 7, 2), (1, 0, 4, 4)])
def test_arrays_come_back_as_they_went(shape):
    backend = opened()
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)[..., ::-1]
    np.testing.assert_array_equal(backend.download(backend.upload(array)), array)
