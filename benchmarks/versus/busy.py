"""How busy the GPU is while a contestant runs, by nvidia-smi."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from versus.specs import Device

QUERY = (
    "nvidia-smi",
    "--query-gpu=utilization.gpu",
    "--format=csv,noheader,nounits",
    "--loop-ms=100",
    "--id=0",
)


@dataclass
class Looks:
    """Utilisations of the first GPU, in percent, a tenth of a second apart."""

    percent: list[int] = field(default_factory=list)

    def busy(self) -> float | None:
        """Mean from the first to the last look that found work, as a share; None where none did."""
        at_work = [index for index, percent in enumerate(self.percent) if percent > 0]
        if not at_work:
            return None
        between = self.percent[at_work[0] : at_work[-1] + 1]
        return sum(between) / len(between) / 100


@contextmanager
def watched(device: Device) -> Generator[Looks, None, None]:
    """Look at the GPU meanwhile; at nothing on a CPU."""
    looks = Looks()
    if device == "cpu":
        yield looks
        return
    watch = subprocess.Popen(QUERY, stdout=subprocess.PIPE, text=True)
    try:
        yield looks
    finally:
        watch.terminate()
        printed, _ = watch.communicate()
        looks.percent += [int(line) for line in printed.split() if line.isdigit()]
