"""The virtual environment that Triton lives in, made before anything is measured."""

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

ENVIRONMENT = Path(__file__).parents[2] / "runs" / "triton-venv"
WHEEL = "nvidia-pytriton==0.7.0"
PYTHON = "/usr/bin/python3"  # Triton links the system's libpython: with another build its Python backend fails


def find(environment: Path) -> Path | None:
    """Find Triton's folder in a virtual environment, complete with the stub that runs the environment's Python."""
    stubs = environment.glob("lib/python3.*/site-packages/pytriton/tritonserver/backends/python/*_stub")
    return next((stub.parents[2] for stub in stubs), None)


def install(environment: Path, python: str) -> None:
    """Install Triton, and what its model needs, in a virtual environment of its own.

    Raises:
        CalledProcessError: there is no such Python, it lacks venv (Debian: python3-venv), or a package is not found.
    """
    same = [f"{name}=={version(name)}" for name in ("onnxruntime-gpu", "sentencepiece")]
    subprocess.run([python, "-m", "venv", "--clear", str(environment)], check=True)
    pip = [str(environment / "bin" / "pip"), "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, WHEEL, *same], check=True)
    (packages,) = environment.glob("lib/python3.*/site-packages")
    triton = packages / "pytriton" / "tritonserver"
    # As deep as its folder, because it finds its libraries by a relative path.
    stub = triton / "python_backend_stubs" / packages.parent.name.removeprefix("python") / "triton_python_backend_stub"
    shutil.copy(stub, triton / "backends" / "python")
