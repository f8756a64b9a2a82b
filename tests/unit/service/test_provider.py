"""A GPU that was asked for and cannot be used keeps the server from starting; everything that is missing is named."""

import ctypes
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest

from service import provider
from service.errors import StartupError
from service.provider import PROVIDERS, Device, choose_device, has_gpu

LIBRARIES = ("libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13", "libcurand.so.10", "libcudnn.so.9")


def driver(gpus: int, version: int) -> Any:
    """Make a driver that shows some GPUs and runs CUDA up to a version."""

    def into(value: int) -> Callable[[Any], int]:
        def write(pointer: Any) -> int:
            pointer._obj.value = value
            return 0

        return write

    return SimpleNamespace(cuInit=lambda flags: 0, cuDeviceGetCount=into(gpus), cuDriverGetVersion=into(version))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make a machine with a driver, or none, and some libraries."""

    def make(found: Any, libraries: Collection[str] = LIBRARIES, built: bool = True) -> None:
        def load(name: str) -> Any:
            if name == "libcuda.so.1" and found is not None:
                return found
            if name in libraries:
                return object()
            raise OSError(name)

        names = [PROVIDERS["cuda"], PROVIDERS["cpu"]] if built else [PROVIDERS["cpu"]]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
        monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
        monkeypatch.setattr(ctypes, "CDLL", load)
        monkeypatch.setattr(provider, "_major", lambda: "13")

    return make


def test_a_gpu_that_works_is_taken(machine: Callable[..., None]) -> None:
    """By its number, or the first; left open, too."""
    machine(driver(2, 13010))
    assert choose_device("cuda") == choose_device("auto") == Device("cuda", 0)
    assert str(choose_device("cuda:1")) == "cuda:1"
    assert choose_device("cpu") == Device("cpu")


@pytest.mark.parametrize(
    ("found", "libraries", "built", "said", "auto"),
    [
        (driver(1, 13000), LIBRARIES, False, "built without CUDA: pip install onnxruntime-gpu", "cpu"),
        (None, LIBRARIES, True, r"no NVIDIA driver \(libcuda.so.1\) is installed", "cpu"),
        (driver(0, 13000), LIBRARIES, True, "the NVIDIA driver sees no GPU", "cpu"),
        (driver(2, 13000), LIBRARIES, True, "there is no GPU 2, the last one is 1", "cuda"),
        (driver(3, 12080), LIBRARIES, True, "runs CUDA 12.8 at most, and onnxruntime needs 13", "cpu"),
        (
            driver(3, 13000),
            LIBRARIES[:2],
            True,
            "libcublasLt.so.13 is not found.*libcurand.so.10.*libcudnn.so.9",
            "cpu",
        ),
    ],
)
def test_what_is_missing_is_named(
    machine: Callable[..., None], found: Any, libraries: Collection[str], built: bool, said: str, auto: str
) -> None:
    """Whoever asked for a GPU gets none other; who left it open gets the CPU and the reason."""
    machine(found, libraries, built)
    with pytest.raises(StartupError, match=f"--device cuda:2: .*{said}.*use --device cpu"):
        choose_device("cuda:2")
    taken = choose_device("auto")
    assert (taken.kind, bool(taken.note)) == (("cuda", False) if auto == "cuda" else ("cpu", True))


def test_a_gpu_is_seen_by_its_device(tmp_path: Any) -> None:
    """Devices of a GPU count, those of the driver alone do not."""
    for name in ("nvidiactl", "nvidia-uvm", "nvidia0extra"):
        (tmp_path / name).touch()
    assert not has_gpu(tmp_path)
    (tmp_path / "nvidia0").touch()
    assert has_gpu(tmp_path)


def test_falling_back_is_noticed(machine: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """auto takes the CPU of a machine whose GPU cannot be used, and says so; who asks for the CPU does not fall."""
    machine(None)
    monkeypatch.setattr(provider, "has_gpu", lambda: True)
    assert choose_device("auto").fell_back
    assert not choose_device("cpu").fell_back
