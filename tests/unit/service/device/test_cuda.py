"""The calls of the CUDA runtime, held against a library that notes them: there is no GPU where tests run."""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from service.bundle import read_bundle
from service.device import cuda
from service.device.cuda import CudaMemory
from service.device.memory import DeviceFull, DeviceLost
from service.device.opening import open_on_gpu, provider_settings, share_of_sessions
from service.device.steps import ROLES
from service.errors import StartupError
from service.parts import FP16, FP32
from service.provider import Device
from tests.server_process import ROOT

FREE = 1 << 20


class Runtime:
    """Stand in for libcudart: keep memory on the host, note every call, and fail where told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failing: dict[str, int] = {}
        self.held: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if name == "cudaGetErrorString":
                return b"out of luck"
            self.calls.append(name)
            if name in self.failing:
                return self.failing[name]
            effect = vars(Runtime).get(f"_{name}")
            if effect:
                effect(self, *arguments)
            return 0

        return call

    def _take(self, pointer: Any, size: int) -> None:
        buffer = ctypes.create_string_buffer(size)
        pointer._obj.value = ctypes.addressof(buffer)
        self.held[pointer._obj.value] = buffer

    def _cudaStreamCreateWithFlags(self, pointer: Any, flags: Any) -> None:  # noqa: N802
        pointer._obj.value = 77

    def _cudaMalloc(self, pointer: Any, size: Any) -> None:  # noqa: N802
        self._take(pointer, size.value)

    def _cudaHostAlloc(self, pointer: Any, size: Any, flags: Any) -> None:  # noqa: N802
        self._take(pointer, size.value)

    def _cudaFree(self, pointer: Any) -> None:  # noqa: N802
        del self.held[pointer.value]

    def _cudaFreeHost(self, pointer: Any) -> None:  # noqa: N802
        del self.held[pointer.value]

    def _cudaMemcpyAsync(self, to: Any, at: Any, size: Any, kind: int, stream: Any) -> None:  # noqa: N802
        assert stream.value == 77
        ctypes.memmove(to, at, size.value)

    def _cudaMemcpy2DAsync(  # noqa: N802
        self, to: Any, stride: Any, at: Any, source: Any, size: Any, rows: Any, kind: int, stream: Any
    ) -> None:
        assert (kind, stream.value) == (cuda.DEVICE_TO_DEVICE, 77)
        for row in range(rows.value):
            ctypes.memmove(to.value + row * stride.value, at.value + row * source.value, size.value)

    def _cudaMemsetAsync(self, at: Any, value: int, size: Any, stream: Any) -> None:  # noqa: N802
        ctypes.memset(at, value, size.value)

    def _cudaMemGetInfo(self, free: Any, total: Any) -> None:  # noqa: N802
        free._obj.value = FREE - sum(len(buffer) for buffer in self.held.values())


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Load the stand-in for the library."""
    library = Runtime()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    return library


def test_numbers_come_back_as_they_went(runtime: Runtime) -> None:
    """Up, along and down again, in order on one stream; bytes are counted where they pass to or from the host."""
    memory = CudaMemory(0, "libcudart.so.13")
    first, second = memory.allocate(64), memory.allocate(64)
    assert "cudaMemsetAsync" in runtime.calls
    sent = memory.staging(8, numpy.dtype(numpy.int64))
    sent[:] = range(8)
    memory.upload(first, sent)
    memory.move(second, first, 32)
    memory.move_rows(second + 32, 16, first, 8, 8, 2)
    got = memory.staging(8, numpy.dtype(numpy.int64))
    memory.download(got, second)
    memory.wait()
    assert got.tolist() == [0, 1, 2, 3, 0, 0, 1, 0]
    assert (memory.uploaded, memory.downloaded) == (64, 64)
    memory.clear(second + 8, 16)
    memory.download(got, second)
    memory.wait()
    assert got.tolist() == [0, 0, 0, 3, 0, 0, 1, 0]
    memory.free(first)
    assert len(runtime.held) == 3
    del memory
    assert not runtime.held


@pytest.mark.parametrize(
    ("strides", "rows", "calls"),
    [
        ((16, 24), 3, ["cudaMemcpy2DAsync"]),
        ((8, 8), 3, ["cudaMemcpyAsync"]),
        ((1 << 40, 1 << 40), 1, ["cudaMemcpyAsync"]),
        ((16, 40), 3, ["cudaMemcpyAsync"] * 3),
    ],
)
def test_rows_are_copied_by_the_call_that_can(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, strides: tuple[int, int], rows: int, calls: list[str]
) -> None:
    """One for all of them, but where they are farther apart than a call allows; what is in one piece is copied so."""
    monkeypatch.setattr(cuda, "MAX_PITCH", 32)
    memory = CudaMemory(0, "libcudart.so.13")
    first, second = memory.allocate(96), memory.allocate(96)
    memory.upload(first, numpy.arange(12))
    runtime.calls.clear()
    memory.move_rows(second, strides[0], first, strides[1], 8, rows)
    assert runtime.calls == calls
    got = numpy.zeros(12, numpy.int64)
    memory.download(got, second)
    to, at = (stride // 8 for stride in strides)
    assert [got[row * to] for row in range(rows)] == [row * at for row in range(rows)]


def test_memory_ends_at_the_limit(runtime: Runtime) -> None:
    """What others take does not count; the runtime's own word for it is the same error."""
    memory, other = (CudaMemory(0, "libcudart.so.13", limit=1000) for _ in range(2))
    assert memory.left() == 1000
    address = memory.allocate(600)
    assert (memory.left(), other.left()) == (400, 1000)
    with pytest.raises(DeviceFull):
        memory.allocate(600)
    memory.free(address)
    memory.allocate(600)
    memory.reserve(300)
    assert memory.left() == 100
    free = CudaMemory(0, "libcudart.so.13")
    assert free.left() == FREE - 600
    runtime.held[0] = bytes(FREE - 600 - 50)  # another process
    assert memory.left() == free.left() == 50
    del runtime.held[0]
    runtime.failing["cudaMalloc"] = cuda.OUT_OF_MEMORY
    with pytest.raises(DeviceFull, match="cudaMalloc"):
        free.allocate(8)


def test_all_sessions_together_keep_the_limit(runtime: Runtime) -> None:
    """Slots have theirs first; of the rest, each session's arena may take a share, and one is left."""
    memory = CudaMemory(0, "libcudart.so.13", limit=8000)
    memory.allocate(1000)
    share = share_of_sessions(memory)
    assert share == 1000
    assert 1000 + (len(ROLES) + 2) * share + memory.left() == 8000


def test_memory_is_that_of_its_own_gpu(runtime: Runtime) -> None:
    """A thread that has used no GPU would be told of the first one."""
    memory = CudaMemory(1, "libcudart.so.13")
    runtime.calls.clear()
    memory.left()
    assert runtime.calls == ["cudaSetDevice", "cudaMemGetInfo"]


@pytest.mark.parametrize(("failure", "status"), [("cudaSetDevice", 700), ("cudaMalloc", cuda.OUT_OF_MEMORY)])
def test_what_opens_a_gpu_loads_its_libraries_and_says_what_fails(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, failure: str, status: int
) -> None:
    """In whichever process that is: the one that chose the device may be another."""
    loaded: list[bool] = []
    monkeypatch.setattr("onnxruntime.preload_dlls", lambda: loaded.append(not runtime.calls))
    runtime.failing[failure] = status
    runtime.failing["cudaStreamCreateWithFlags"] = cuda.OUT_OF_MEMORY  # it goes no further than this
    bundle = read_bundle(ROOT / "model_repository" / "en-de" / "1")
    with pytest.raises(StartupError):
        open_on_gpu(bundle, FP32, Device("cuda", 0), 8, (64,), None)
    assert loaded == [True]


def test_what_fails_is_named(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that fails says which and why; a GPU or library that cannot be used keeps the server from starting."""
    memory = CudaMemory(0, "libcudart.so.13")
    runtime.failing["cudaStreamSynchronize"] = 700
    with pytest.raises(DeviceLost, match=r"cudaStreamSynchronize: out of luck \(700\)"):
        memory.wait()
    runtime.failing["cudaSetDevice"] = 101
    with pytest.raises(StartupError, match="--device cuda:5: cudaSetDevice: out of luck"):
        CudaMemory(5, "libcudart.so.13")

    def missing(name: str) -> None:
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(StartupError, match=r"libcudart.so.13 is not found: pip install"):
        CudaMemory(0, "libcudart.so.13")


def test_sessions_share_the_stream(runtime: Runtime) -> None:
    """Every session of a model runs on one stream, in full precision where that was asked for."""
    memory = CudaMemory(3, "libcudart.so.13")
    graphs = {one.precision: one for one in read_bundle(ROOT / "model_repository" / "en-de" / "1").manifest.graphs}
    full = provider_settings(memory, graphs[FP32], True, 1 << 30)
    assert full["user_compute_stream"] == "77"
    assert (full["device_id"], full["enable_cuda_graph"], full["gpu_mem_limit"]) == ("3", "1", str(1 << 30))
    assert full["use_tf32"] == "0"
    half = provider_settings(memory, graphs[FP16], False, None)
    assert (half["use_tf32"], half["enable_cuda_graph"], "gpu_mem_limit" in half) == ("1", "0", False)
