"""Which device models run on, and what is missing where it cannot be the one that was asked for."""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
from onnxruntime.capi import build_and_package_info as build

from service.errors import StartupError
from service.gpus import count_gpus

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
CUDNN = "libcudnn.so.9"
INSTALL = "pip install onnxruntime-gpu[cuda,cudnn]"


@dataclass(frozen=True)
class Device:
    """Name where graphs run, and why not elsewhere when that was left open."""

    kind: str  # cpu or cuda
    number: int = 0  # of the GPU
    note: str = ""
    fell_back: bool = False  # a GPU is there, and models run on the CPU without having been told to

    @property
    def provider(self) -> str:
        """Return what ONNX Runtime calls it."""
        return PROVIDERS[self.kind]

    def __str__(self) -> str:
        """Write it as --device does."""
        return self.kind if self.kind == "cpu" else f"{self.kind}:{self.number}"


def choose_device(asked: str) -> Device:
    """Turn auto, cpu, cuda or cuda:N into a device.

    Raises:
        StartupError: cuda was asked for and this machine cannot run it, or has no such GPU; says what is missing.
    """
    if asked == "cpu":
        return Device("cpu")
    number = int(asked.partition(":")[2] or 0)
    missing = _missing_for_cuda(number)
    if not missing:
        return Device("cuda", number)
    why = "; ".join(missing)
    if asked.startswith("cuda"):
        raise StartupError(f"--device {asked}: {why} (use --device cpu to run without a GPU)")
    return Device("cpu", note=why, fell_back=has_gpu())


def has_gpu(devices: Path = Path("/dev")) -> bool:
    """Tell whether the kernel, or the container's runtime, shows an NVIDIA GPU, whether or not anything can use it."""
    return any(re.fullmatch("nvidia[0-9]+", path.name) for path in devices.glob("nvidia[0-9]*"))


def runtime_library() -> str:
    """Return the file name of the CUDA runtime that ONNX Runtime was built for."""
    return f"libcudart.so.{_major()}"


def _missing_for_cuda(number: int) -> list[str]:
    """Say what keeps graphs from a GPU, everything at once."""
    if PROVIDERS["cuda"] not in onnxruntime.get_available_providers():
        return [f"this onnxruntime is built without CUDA: {INSTALL}"]
    driver = _missing_from_driver(number)
    if driver:
        return [driver]
    load_libraries()
    return [*_missing_libraries()]


def load_libraries() -> None:
    """Load the CUDA libraries of wheels, where they are installed; each process that opens a GPU has to."""
    onnxruntime.preload_dlls()


def _missing_from_driver(number: int) -> str:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver (libcuda.so.1) is installed"
    count = count_gpus()
    if count == 0:
        return "the NVIDIA driver sees no GPU"
    if number >= count:
        return f"there is no GPU {number}, the last one is {count - 1}"
    version = ctypes.c_int(0)
    driver.cuDriverGetVersion(ctypes.byref(version))
    if version.value // 1000 < int(_major()):
        newest = f"{version.value // 1000}.{version.value % 1000 // 10}"
        return f"the NVIDIA driver runs CUDA {newest} at most, and onnxruntime needs {_major()}: install a newer driver"
    return ""


def _missing_libraries() -> Iterator[str]:
    major = _major()
    for library in (runtime_library(), f"libcublas.so.{major}", f"libcublasLt.so.{major}", "libcurand.so.10", CUDNN):
        try:
            ctypes.CDLL(library)
        except OSError:
            yield f"{library} is not found: {INSTALL}"


def _major() -> str:
    return str(getattr(build, "cuda_version", "") or "13").split(".")[0]
