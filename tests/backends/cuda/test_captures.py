from __future__ import annotations

import torch
from torch import nn

from segcube.backends.cuda.captures import Captures, Slot
from segcube.backends.cuda.networks import Resident


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.GELU(), nn.Conv3d(4, 3, 1)).eval()


def test_a_network_is_captured_after_enough_calls_and_a_plain_one_of_the_shape():
    resident = Resident(network(), torch.channels_last_3d)
    whole, rest = torch.randn(2, 2, 6, 6, 6), torch.randn(1, 2, 6, 6, 6)
    slot = Slot("a", tuple(whole.shape))
    for when, calls in (("on", 1), ("auto", 8)):
        captures = Captures(when, print)
        for _ in range(calls):
            assert not captures.is_due(slot)
            captures.run("a", resident, whole)
        assert captures.is_due(slot)
        assert not captures.is_due(Slot("a", tuple(rest.shape)))
        assert not captures.is_due(Slot("b", tuple(whole.shape)))


def test_nothing_is_captured_when_off():
    captures = Captures("off", print)
    resident, x = Resident(network(), torch.channels_last_3d), torch.randn(1, 2, 6, 6, 6)
    for _ in range(10):
        captures.run("a", resident, x)
    assert not captures.is_due(Slot("a", tuple(x.shape)))


def test_a_capture_that_fails_is_logged_once_and_forwards_run_plainly():
    log: list[str] = []
    captures = Captures("on", log.append)
    resident, x = Resident(network(), torch.channels_last_3d), torch.randn(1, 2, 6, 6, 6)
    if torch.cuda.is_available():
        resident = Resident(UncapturableNetwork(), torch.contiguous_format)
        x = x.cuda()
    with torch.inference_mode():
        logits = [captures.run("a", resident, x) for _ in range(4)]
    assert all(torch.equal(one, logits[0]) for one in logits)
    assert len(log) == 1
    assert "no longer captured" in log[0]


class UncapturableNetwork(nn.Module):
    """Waits for the device, which a capture forbids."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * float(x.isfinite().all().item())
