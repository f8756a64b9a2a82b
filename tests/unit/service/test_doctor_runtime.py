"""What the doctor says of ONNX Runtime, CUDA, cuDNN and the driver, for machines that we do not have."""

from dataclasses import replace
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from seq2serve.doctor.finding import Level
from service import provider
from service.doctor.runtime import Runtime, check_runtime

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
WELL = Runtime(("onnxruntime-gpu",), (CUDA, CPU), "13.0", 13010, 91200, gpu=True)


def test_a_machine_where_all_fits() -> None:
    """Versions are named, and nothing is at fault."""
    found = list(check_runtime(WELL, "auto"))
    assert [finding.level for finding in found] == [Level.OK, Level.OK]
    assert "CUDA 13.1, cuDNN 91200" in found[1].found


@pytest.mark.parametrize(
    ("change", "subject", "found", "fix"),
    [
        ({"packages": ("onnxruntime", "onnxruntime-gpu")}, "onnxruntime", "two packages", "pip uninstall"),
        ({"providers": (CPU,), "cuda": ""}, "onnxruntime", "without CUDA", "onnxruntime-gpu"),
        ({"driver": None}, "driver", "libcuda.so.1", "container toolkit"),
        ({"driver": 12040}, "driver", "CUDA 12.4 at most, and ONNX Runtime was built for 13.0", "newer driver"),
        ({"cudnn": None}, "cuDNN", "libcudnn.so.9 is not found", "pip install"),
        ({"cudnn": 80900}, "cuDNN", "is 80900", "pip install"),
        ({"missing": "libcublas.so.13 is not found"}, "libraries", "libcublas.so.13 is not found", "--device cpu"),
    ],
)
def test_what_does_not_fit_is_named_with_its_fix(change: dict[str, object], subject: str, found: str, fix: str) -> None:
    """On a machine with a GPU each of these keeps models from it."""
    (fault,) = (one for one in check_runtime(replace(WELL, **change), "auto") if one.level is Level.FAULT)  # type: ignore[arg-type]
    assert fault.subject == subject
    assert found in fault.found
    assert fix in fault.fix
    assert str(fault).startswith("FAULT")


def test_without_a_gpu_the_cpu_is_right_unless_cuda_is_asked_for() -> None:
    """Auto takes the CPU, --device cuda is at fault, and --device cpu never asks."""
    bare = Runtime(("onnxruntime",), (CPU,), "", None, None, gpu=False)
    assert all(one.level is Level.OK for one in check_runtime(bare, "auto"))
    assert all(one.level is Level.OK for one in check_runtime(replace(bare, gpu=True), "cpu"))
    assert any(one.level is Level.FAULT for one in check_runtime(bare, "cuda"))


def test_a_server_that_falls_back_to_the_cpu_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that the server misses is missed by the doctor, whatever else fits."""
    monkeypatch.setattr(provider.onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(provider.onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(provider, "_missing_from_driver", lambda number: "")
    monkeypatch.setattr(provider, "_missing_libraries", lambda: iter(["libcurand.so.10 is not found"]))
    monkeypatch.setattr(provider, "has_gpu", lambda: True)
    assert provider.choose_device("auto").fell_back
    read = replace(WELL, missing=Runtime.read().missing)
    found = list(check_runtime(read, "auto"))
    assert [finding.level for finding in found] == [Level.OK, Level.FAULT]
    assert "libcurand.so.10" in found[1].found


def test_a_package_elsewhere_on_the_path_is_no_second_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is put before another hides it; only two in one folder have written the same files."""
    before = Runtime.read().packages
    info = tmp_path / "onnxruntime_other-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime-other\nVersion: 9.9\n", encoding="utf-8")
    (info / "RECORD").write_text("onnxruntime/__init__.py,,\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "onnxruntime-other" in packages_distributions()["onnxruntime"]
    assert Runtime.read().packages == before
