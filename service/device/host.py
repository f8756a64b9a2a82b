"""The host's memory as if it were a device's: what runs on a GPU is proved on machines without one."""

import ctypes
from typing import Any

import numpy

from service.device.memory import Array, DeviceFull


class HostMemory:
    """Hold memory that ONNX Runtime's CPU sessions read; everything happens at once."""

    kind, number = "cpu", 0
    stream: int | None = None

    def __init__(self, size: int = 1 << 40) -> None:
        """Offer `size` bytes altogether."""
        self.uploaded = self.downloaded = 0
        self._left = size
        self._held: dict[int, Array] = {}

    def attach(self) -> None:
        """Let the calling thread use the device."""

    def allocate(self, size: int) -> int:
        """Return the address of `size` bytes, all of them zero.

        Raises:
            DeviceFull: there are not as many.
        """
        if size > self._left:
            raise DeviceFull(f"{size} bytes are needed, {self._left} are left")
        array = numpy.zeros(size, numpy.uint8)
        address = array.ctypes.data
        self._held[address] = array
        self._left -= size
        return address

    def free(self, address: int) -> None:
        """Give memory back."""
        self._left += self._held.pop(address).nbytes

    def clear(self, address: int, size: int) -> None:
        """Make bytes zero."""
        ctypes.memset(address, 0, size)

    def staging(self, count: int, dtype: numpy.dtype[Any]) -> Array:
        """Return memory of the host (count,)."""
        return numpy.zeros(count, dtype)

    def upload(self, address: int, array: Array) -> None:
        """Copy an array to the device."""
        self.uploaded += array.nbytes
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def download(self, array: Array, address: int) -> None:
        """Copy from the device into an array that is contiguous."""
        self.downloaded += array.nbytes
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def move(self, target: int, source: int, size: int) -> None:
        """Copy bytes within the device."""
        ctypes.memmove(target, source, size)

    def move_rows(self, target: int, stride: int, source: int, source_stride: int, size: int, rows: int) -> None:
        """Copy `size` bytes of each of some rows that begin every `stride` bytes, within the device."""
        for row in range(rows):
            ctypes.memmove(target + row * stride, source + row * source_stride, size)

    def wait(self) -> None:
        """Return at once."""

    def left(self) -> int:
        """Return how many bytes can still be allocated."""
        return self._left
