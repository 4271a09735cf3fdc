"""How busy the GPU is while a contestant runs, by nvidia-smi."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from versus.specs import Device

QUERY = (
    "nvidia-smi",
    "--query-gpu=timestamp,utilization.gpu",
    "--format=csv,noheader,nounits",
    "--loop-ms=100",
    "--id=0",
)
STAMP = "%Y/%m/%d %H:%M:%S.%f"


@dataclass
class Looks:
    """Utilisations of the first GPU, a tenth of a second apart: when (seconds since 1970), and percent."""

    found: list[tuple[float, int]] = field(default_factory=list)

    def busy(self, first: float, last: float) -> float | None:
        """Mean between two times, as a share; None where nobody looked."""
        between = [percent for when, percent in self.found if first <= when <= last]
        return sum(between) / len(between) / 100 if between else None


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
        for line in printed.splitlines():
            when, _, percent = line.rpartition(", ")
            if percent.isdigit():
                looks.found.append((datetime.strptime(when, STAMP).timestamp(), int(percent)))
