"""The memory of a device, as what runs on it needs it; pointers are plain numbers, as bindings take them."""

from typing import Any, Protocol

import numpy
from numpy.typing import NDArray

Array = NDArray[Any]


class Memory(Protocol):
    """Hold memory of one device; all that is said here happens in the order in which it was said.

    What is not waited for may still be to come when a call returns, and ONNX Runtime's sessions take part in the
    order where they run on the same `stream`.
    """

    kind: str  # as ONNX Runtime names the device
    number: int
    stream: int | None  # pointer of the stream, where the device has such
    uploaded: int  # bytes so far, from the host
    downloaded: int  # bytes so far, to the host

    def attach(self) -> None:
        """Let the calling thread use the device; the one that opened it may already."""
        ...

    def allocate(self, size: int) -> int:
        """Return the address of `size` bytes, all of them zero.

        Raises:
            DeviceFull: there are not as many.
        """
        ...

    def free(self, address: int) -> None:
        """Give memory back; nobody may read it any more."""
        ...

    def clear(self, address: int, size: int) -> None:
        """Make bytes zero."""
        ...

    def staging(self, count: int, dtype: numpy.dtype[Any]) -> Array:
        """Return memory of the host (count,) that the device copies from and to without a detour; it is kept."""
        ...

    def upload(self, address: int, array: Array) -> None:
        """Copy an array to the device; it may be written again once `wait` has returned."""
        ...

    def download(self, array: Array, address: int) -> None:
        """Copy from the device into an array that is contiguous; it may be read once `wait` has returned."""
        ...

    def move(self, target: int, source: int, size: int) -> None:
        """Copy bytes within the device; the places do not overlap."""
        ...

    def move_rows(self, target: int, stride: int, source: int, source_stride: int, size: int, rows: int) -> None:
        """Copy `size` bytes of each of some rows that begin every `stride` bytes, within the device."""
        ...

    def wait(self) -> None:
        """Return once everything has happened."""
        ...

    def left(self) -> int:
        """Return how many bytes can still be allocated."""
        ...


class DeviceFull(MemoryError):
    """The device has not as much memory as is needed."""


class DeviceLost(BaseException):
    """A call of the device failed: whatever it is asked from now on fails, too, so its engine must end.

    It is none of the exceptions that cost requests alone.
    """
