"""Memory of the host from which a device is fed: page-locked where CUDA runs, so that the device fetches it itself.

From other memory the driver first copies into page-locked memory of its own (CUDA C++ Programming Guide, page-locked
host memory). Nothing here fails: where there is no CUDA, or no such memory is left, it is ordinary memory.
"""

import ctypes
import math
import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

Allocate = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]
"""Gives memory for an array of this shape and type; its values are not set."""

_RUNTIMES = ("libcudart.so.13", "libcudart.so.12")
_SUCCESS, _DEFAULT_FLAGS = 0, 0


def ordinary(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Memory that the system may move."""
    return np.empty(shape, dtype)


def page_locked() -> Allocate:
    """What gives page-locked memory by the CUDA runtime that this process has loaded; without one, ordinary memory."""
    for name in _RUNTIMES:
        with suppress(OSError):  # it is not loaded: another one than onnxruntime's must not be
            return PageLocked(ctypes.CDLL(name, mode=os.RTLD_NOLOAD | os.RTLD_NOW))
    return ordinary


class PageLocked:
    """Page-locked memory, given back with the last array in it (CUDA Runtime API: cudaHostAlloc, cudaFreeHost)."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime

    def __call__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Memory for an array; ordinary memory where the driver has no such left."""
        size_bytes = math.prod(shape) * dtype.itemsize
        address = ctypes.c_void_p()
        if not size_bytes or self._alloc(address, size_bytes) != _SUCCESS or not address.value:
            return ordinary(shape, dtype)
        memory = (ctypes.c_char * size_bytes).from_address(address.value)
        weakref.finalize(memory, self._runtime.cudaFreeHost, address).atexit = False  # the driver may be gone by then
        array: NDArray[Any] = np.frombuffer(memoryview(memory), dtype).reshape(shape)
        return array

    def _alloc(self, address: ctypes.c_void_p, size_bytes: int) -> int:
        status = self._runtime.cudaHostAlloc(
            ctypes.byref(address), ctypes.c_size_t(size_bytes), ctypes.c_uint(_DEFAULT_FLAGS)
        )
        return int(status)
