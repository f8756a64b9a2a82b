"""The memory of an NVIDIA GPU, by the CUDA runtime that ONNX Runtime brings along."""

import ctypes
from typing import Any

import numpy

from service.device.memory import Array, DeviceFull, DeviceLost
from service.errors import StartupError

# As cuda_runtime_api.h numbers them (NVIDIA, CUDA Runtime API).
HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE = 1, 2, 3
OUT_OF_MEMORY = 2
MAX_PITCH = (1 << 31) - 1  # bytes between rows that one copy can have: cudaDeviceProp.memPitch, as GPUs report it
NON_BLOCKING = 1  # this stream waits for no other, and no other for it


class CudaMemory:
    """Hold memory of one GPU, and the stream along which everything happens."""

    kind = "cuda"

    def __init__(self, number: int, library: str, limit: int | None = None) -> None:
        """Open a GPU with the runtime's `library`, such as libcudart.so.13.

        At most `limit` bytes of it are to be taken here, those included that are left to others by `reserve`; what else
        is taken of the GPU, by whomever, only counts where nothing is free any more.

        Raises:
            StartupError: the library or the GPU cannot be used.
        """
        self.number = number
        self.uploaded = self.downloaded = 0
        self._limit = limit
        self._held: dict[int, int] = {}  # bytes by address
        self._reserved = 0
        self._staged: list[int] = []  # addresses
        try:
            self._runtime = ctypes.CDLL(library)
        except OSError as error:
            raise StartupError(f"--device cuda: {library} is not found: pip install onnxruntime-gpu[cuda]") from error
        self._runtime.cudaGetErrorString.restype = ctypes.c_char_p
        pointer = ctypes.c_void_p()
        try:
            self.attach()
            self._call("cudaStreamCreateWithFlags", ctypes.byref(pointer), ctypes.c_uint(NON_BLOCKING))
        except DeviceLost as error:
            raise StartupError(f"--device cuda:{number}: {error}") from error
        assert pointer.value is not None
        self.stream: int | None = pointer.value

    def attach(self) -> None:
        """Let the calling thread use the GPU: the runtime remembers for each thread which one it means."""
        self._call("cudaSetDevice", ctypes.c_int(self.number))

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._runtime, name)(*arguments)
        if status == OUT_OF_MEMORY:
            self._runtime.cudaGetLastError()  # else it would be reported again
            raise DeviceFull(f"{name}: the GPU has no memory left")
        if status:
            raise DeviceLost(f"{name}: {self._runtime.cudaGetErrorString(status).decode()} ({status})")

    def allocate(self, size: int) -> int:
        """Return the address of `size` bytes, all of them zero.

        Raises:
            DeviceFull: there are not as many, or the limit does not allow them.
        """
        if size > self.left():
            raise DeviceFull(f"{size >> 20} MiB of the GPU's memory are needed, {self.left() >> 20} are left")
        pointer = ctypes.c_void_p()
        self._call("cudaMalloc", ctypes.byref(pointer), ctypes.c_size_t(size))
        assert pointer.value is not None
        self._held[pointer.value] = size
        self.clear(pointer.value, size)
        return pointer.value

    def free(self, address: int) -> None:
        """Give memory back, once nothing reads it any more."""
        del self._held[address]
        self._call("cudaFree", ctypes.c_void_p(address))

    def clear(self, address: int, size: int) -> None:
        """Make bytes zero."""
        self._call("cudaMemsetAsync", ctypes.c_void_p(address), 0, ctypes.c_size_t(size), self._stream)

    def staging(self, count: int, dtype: numpy.dtype[Any]) -> Array:
        """Return memory of the host (count,) that is never paged out."""
        pointer, size = ctypes.c_void_p(), max(1, count * dtype.itemsize)
        self._call("cudaHostAlloc", ctypes.byref(pointer), ctypes.c_size_t(size), ctypes.c_uint(0))
        assert pointer.value is not None
        self._staged.append(pointer.value)
        buffer = (ctypes.c_uint8 * size).from_address(pointer.value)
        return numpy.ctypeslib.as_array(buffer)[: count * dtype.itemsize].view(dtype)

    def upload(self, address: int, array: Array) -> None:
        """Copy an array to the device; it may be written again once `wait` has returned."""
        self.uploaded += array.nbytes
        self._copy(address, array.ctypes.data, array.nbytes, HOST_TO_DEVICE)

    def download(self, array: Array, address: int) -> None:
        """Copy from the device into an array that is contiguous; it may be read once `wait` has returned."""
        self.downloaded += array.nbytes
        self._copy(array.ctypes.data, address, array.nbytes, DEVICE_TO_HOST)

    def move(self, target: int, source: int, size: int) -> None:
        """Copy bytes within the device; the places do not overlap."""
        self._copy(target, source, size, DEVICE_TO_DEVICE)

    def _copy(self, target: int, source: int, size: int, kind: int) -> None:
        pointers = ctypes.c_void_p(target), ctypes.c_void_p(source)
        self._call("cudaMemcpyAsync", *pointers, ctypes.c_size_t(size), kind, self._stream)

    def move_rows(self, target: int, stride: int, source: int, source_stride: int, size: int, rows: int) -> None:
        """Copy `size` bytes of each of some rows that begin every `stride` bytes, within the device."""
        if rows == 1 or size == stride == source_stride:
            self.move(target, source, rows * size)
        elif max(stride, source_stride) > MAX_PITCH:
            for row in range(rows):
                self.move(target + row * stride, source + row * source_stride, size)
        else:
            to, at = ctypes.c_void_p(target), ctypes.c_void_p(source)
            strides = ctypes.c_size_t(stride), ctypes.c_size_t(source_stride)
            shape = ctypes.c_size_t(size), ctypes.c_size_t(rows)
            self._call("cudaMemcpy2DAsync", to, strides[0], at, strides[1], *shape, DEVICE_TO_DEVICE, self._stream)

    def wait(self) -> None:
        """Return once everything has happened."""
        self._call("cudaStreamSynchronize", self._stream)

    def reserve(self, size: int) -> None:
        """Leave bytes of the limit to sessions, which allocate on their own."""
        self._reserved += size

    def left(self) -> int:
        """Return how many bytes can still be allocated."""
        free = self._free()
        if self._limit is None:
            return free
        return max(0, min(free, self._limit - self._reserved - sum(self._held.values())))

    def _free(self) -> int:
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self.attach()  # whoever asks may be a thread that has used no device, and would be told of the first one
        self._call("cudaMemGetInfo", ctypes.byref(free), ctypes.byref(total))
        return free.value

    @property
    def _stream(self) -> ctypes.c_void_p:
        return ctypes.c_void_p(self.stream)

    def __del__(self) -> None:
        """Give everything back; the stream stays, as sessions that run on it may end later."""
        if getattr(self, "stream", None) is None:
            return
        self._runtime.cudaSetDevice(ctypes.c_int(self.number))
        for address in self._held:
            self._runtime.cudaFree(ctypes.c_void_p(address))
        for address in self._staged:
            self._runtime.cudaFreeHost(ctypes.c_void_p(address))
