"""Whether ONNX Runtime, CUDA, cuDNN and the driver fit one another."""

import ctypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import onnxruntime
from onnxruntime.capi import build_and_package_info as build

from seq2serve.doctor.finding import Finding, Level
from service.provider import PROVIDERS, choose_device, has_gpu, load_libraries

CUDNN = 9
INSTALL = "pip install onnxruntime-gpu[cuda,cudnn]"


@dataclass(frozen=True)
class Runtime:
    """Hold the versions that have to fit; None: not there."""

    packages: tuple[str, ...]  # that installed the module onnxruntime
    providers: tuple[str, ...]
    cuda: str  # that ONNX Runtime was built for, such as 13.0; empty: without
    driver: int | None  # newest CUDA that the driver can run, as it numbers it: 13000
    cudnn: int | None  # such as 90300
    gpu: bool  # is there, usable or not
    missing: str = ""  # why a server would not choose a GPU

    @classmethod
    def read(cls) -> "Runtime":
        """Read those of this process."""
        if PROVIDERS["cuda"] in onnxruntime.get_available_providers() and has_gpu():
            load_libraries()
        return cls(
            _packages(),
            tuple(onnxruntime.get_available_providers()),
            str(getattr(build, "cuda_version", "") or ""),
            _driver(),
            _cudnn(),
            has_gpu(),
            choose_device("auto").note,
        )


def _packages() -> tuple[str, ...]:
    """Name the distributions that have written the module that is imported; others may lie elsewhere on the path."""
    named = set(packages_distributions().get("onnxruntime", ()))
    here = Path(onnxruntime.__file__).resolve()
    found = [
        name for name in named if Path(str(distribution(name).locate_file("onnxruntime/__init__.py"))).resolve() == here
    ]
    return tuple(sorted(found))


def check_runtime(runtime: Runtime, device: str) -> Iterator[Finding]:
    """Say whether models can run on the device that is asked for: auto, cpu or cuda."""
    built = f"for CUDA {runtime.cuda}" if runtime.cuda else "for CPUs"
    named = f"{onnxruntime.__version__} ({', '.join(runtime.packages)}), {built}"
    if len(runtime.packages) > 1:
        yield Finding(
            Level.FAULT,
            "onnxruntime",
            f"{named}: two packages have written the same files",
            f"pip uninstall {' '.join(runtime.packages)}, then install one of them",
        )
    else:
        yield Finding(Level.OK, "onnxruntime", named)
    if device == "cpu":
        yield Finding(Level.OK, "device", "the CPU, as --device says")
        return
    if device == "auto" and not runtime.gpu:
        yield Finding(Level.OK, "device", "the CPU: there is no GPU here")
        return
    faults = list(_faults(runtime))
    if runtime.missing and not faults:  # what is missed here is not among the versions above
        faults = [_fault("libraries", runtime.missing, "install what is missing")]
    yield from faults or [
        Finding(Level.OK, "device", f"a GPU; the driver runs CUDA {_cuda(runtime.driver or 0)}, cuDNN {runtime.cudnn}")
    ]


def _faults(runtime: Runtime) -> Iterator[Finding]:
    """Name everything that keeps models from a GPU."""
    if PROVIDERS["cuda"] not in runtime.providers:
        yield _fault("onnxruntime", "is built without CUDA", f"{INSTALL}, in place of onnxruntime")
        return
    if runtime.driver is None:
        yield _fault(
            "driver",
            "libcuda.so.1 is not here, or sees no GPU",
            "install NVIDIA's driver; in a container: --gpus all, with the NVIDIA container toolkit",
        )
    elif runtime.cuda and runtime.driver // 1000 < int(runtime.cuda.split(".")[0]):
        why = f"runs CUDA {_cuda(runtime.driver)} at most, and ONNX Runtime was built for {runtime.cuda}"
        yield _fault("driver", why, "install a newer driver, or a release of ONNX Runtime for this CUDA")
    if runtime.cudnn is None:
        yield _fault("cuDNN", f"libcudnn.so.{CUDNN} is not found", INSTALL)
    elif runtime.cudnn // 10_000 != CUDNN:
        yield _fault("cuDNN", f"is {runtime.cudnn}, {CUDNN}.* expected", INSTALL)


def _fault(subject: str, found: str, fix: str) -> Finding:
    return Finding(Level.FAULT, subject, found, f"{fix} (or --device cpu)")


def _cuda(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _driver() -> int | None:
    library, number = _load(("libcuda.so.1",)), ctypes.c_int(0)
    if library is None or library.cuInit(0) or library.cuDriverGetVersion(ctypes.byref(number)):
        return None
    return number.value


def _cudnn() -> int | None:
    library = _load((f"libcudnn.so.{CUDNN}",))
    if library is None:
        return None
    library.cudnnGetVersion.restype = ctypes.c_size_t
    return int(library.cudnnGetVersion())


def _load(names: Iterable[str]) -> ctypes.CDLL | None:
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
