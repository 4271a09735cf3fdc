"""Wake a GPU while torch is still being imported: both take seconds, and neither needs the other."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from threading import Thread

from segcube.threads import room_for_a_thread

DRIVER = "libcuda.so.1"


def wake(device: str) -> None:
    """Make a device's context in a thread, the one that torch then finds.

    device: cuda, cuda:N, or auto for the first. What fails is not told: torch will, in its own words.
    """
    _, _, number = device.partition(":")
    if room_for_a_thread():
        with suppress(RuntimeError, MemoryError):
            Thread(target=_keep_context, args=(int(number or 0),), name="wake", daemon=True).start()


def _keep_context(number: int) -> None:
    with suppress(OSError, AttributeError):
        driver = ctypes.CDLL(DRIVER)
        handle, context = ctypes.c_int(), ctypes.c_void_p()
        if driver.cuInit(0) == 0 and driver.cuDeviceGet(ctypes.byref(handle), number) == 0:
            driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), handle)
