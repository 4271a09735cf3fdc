"""Compile CUDA sources at run time with NVRTC, which comes with torch: no other compiler is needed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias

import torch

Argument: TypeAlias = "torch.Tensor | int | float | None"
Grid: TypeAlias = "tuple[int, int, int]"


Functions: TypeAlias = "Callable[[str], Function]"
"""Kernels by their names."""


class NoKernels(Exception):
    """The project's kernels cannot be compiled here; torch's run instead."""


class Function:
    """A kernel of a compiled source."""

    def __init__(self, driver: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
        self._driver, self._handle = driver, handle

    def __call__(self, grid: Grid, threads: int, *arguments: Argument, shared: int = 0) -> None:
        """Launch blocks of threads on torch's current stream, whose device is the current one.

        arguments: in the kernel's order; tensors of that device, None for a null. shared: bytes a block.
        """
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        _check_driver(
            self._driver,
            self._driver.cuLaunchKernel(
                self._handle, *grid, threads, 1, 1, shared, stream, packed(arguments), ctypes.c_void_p()
            ),
        )


@cache
def compile_source(source: str, defines: tuple[str, ...], *, device: str) -> Functions:
    """Compile a source for a device; gives its `extern "C"` kernels by their names.

    defines: as NAME=VALUE. Raises NoKernels where that cannot be done.
    """
    try:
        with torch.cuda.device(device):
            major, minor = torch.cuda.get_device_capability(device)
            binary = _compiled(source, [*(f"-D{define}" for define in defines), f"-arch=sm_{major}{minor}"])
            driver = ctypes.CDLL("libcuda.so.1")
            module = ctypes.c_void_p()
            _check_driver(driver, driver.cuModuleLoadData(ctypes.byref(module), binary))
    except (OSError, AttributeError, AssertionError, RuntimeError) as error:
        raise NoKernels(" ".join(str(error).split())[:300]) from error

    def function(name: str) -> Function:
        handle = ctypes.c_void_p()
        _check_driver(driver, driver.cuModuleGetFunction(ctypes.byref(handle), module, name.encode()))
        return Function(driver, handle)

    return cache(function)


def _compiled(source: str, options: Sequence[str]) -> bytes:
    """The machine code of a source. Raises RuntimeError with the compiler's words, OSError without NVRTC."""
    # torch is linked to it, so that it is loaded by now
    nvrtc = ctypes.CDLL(f"libnvrtc.so.{(torch.version.cuda or '').split('.')[0]}")
    with _program(nvrtc, source) as program:
        arguments = [option.encode() for option in (*options, "-std=c++17")]
        failed = nvrtc.nvrtcCompileProgram(
            program, len(arguments), (ctypes.c_char_p * len(arguments))(*arguments)
        )
        if failed:
            log = _sized(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
            raise RuntimeError(f"NVRTC ended with {failed}: {log.decode(errors='replace')}")
        return _sized(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)


@contextmanager
def _program(nvrtc: ctypes.CDLL, source: str) -> Generator[ctypes.c_void_p, None, None]:
    program = ctypes.c_void_p()
    failed = nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"segcube.cu", 0, None, None)
    if failed:
        raise RuntimeError(f"NVRTC took no source: {failed}")
    try:
        yield program
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _sized(program: ctypes.c_void_p, size_of: Any, get: Any) -> bytes:
    size = ctypes.c_size_t()
    size_of(program, ctypes.byref(size))
    found = ctypes.create_string_buffer(size.value)
    get(program, found)
    return found.raw


def packed(arguments: Sequence[Argument]) -> ctypes.Array[ctypes.c_void_p]:
    """The addresses of the arguments, as a launch takes them; the array keeps their values alive."""
    values = [_as_c(argument) for argument in arguments]
    pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
    pointers.values = values  # pyright: ignore
    return pointers


def _as_c(argument: Argument) -> ctypes.c_void_p | ctypes.c_int | ctypes.c_float:
    if argument is None:
        return ctypes.c_void_p()
    if isinstance(argument, torch.Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    return ctypes.c_int(argument) if isinstance(argument, int) else ctypes.c_float(argument)


def _check_driver(driver: ctypes.CDLL, failed: int) -> None:
    """Raise RuntimeError if a call of the driver failed."""
    if failed:
        words = ctypes.c_char_p()
        driver.cuGetErrorString(failed, ctypes.byref(words))
        reason = (words.value or b"an unknown error").decode()
        raise RuntimeError(f"CUDA error: {reason} ({failed})")
