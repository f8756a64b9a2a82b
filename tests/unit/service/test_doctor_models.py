"""What the doctor says of the memory that the versions of a repository take, and of what runs on a GPU."""

import pytest

from seq2serve.doctor.finding import Finding, Level
from service.bundle import read_bundle
from service.core.interface import Facts
from service.device.state import DeviceState
from service.doctor import models
from service.memory import LOADED
from service.settings import read_settings
from tests.server_process import ROOT

REPOSITORY = ROOT / "model_repository"


def _check(monkeypatch: pytest.MonkeyPatch, left: int, workers: int = 1) -> list[Finding]:
    """Check both bundled models where `left` bytes are left at first, and hardly any later."""
    readings = iter([left, 1000, 1000])
    monkeypatch.setattr(models, "available_bytes", lambda: next(readings))
    monkeypatch.setattr(models, "_try", lambda bundle, subject, *_: Finding(Level.OK, subject, "tried"))
    flags = ["--model-repository", str(REPOSITORY), "--device", "cpu", "--workers", str(workers)]
    return list(models.check_models(read_settings(flags)))


def test_all_versions_must_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server holds them all, in what was left before the first was loaded."""
    bundles = [read_bundle(REPOSITORY / name / "1") for name in ("en-de", "en-fr")]
    need = LOADED * sum(file.bytes for bundle in bundles for file in bundle.manifest.files.values())
    for left, levels in (
        (need, [Level.OK, Level.OK]),
        (need - 1, [Level.OK, Level.FAULT]),
        (1 << 20, [Level.FAULT, Level.FAULT]),
    ):
        assert [finding.level for finding in _check(monkeypatch, left)] == levels
        assert [finding.level for finding in _check(monkeypatch, 3 * left, workers=3)] == levels


def test_each_worker_holds_all_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said names them."""
    found = _check(monkeypatch, 1 << 20, workers=3)[0]
    assert "(3 workers)" in found.found
    assert "fewer workers" in found.fix


@pytest.mark.parametrize(("copies", "level"), [(0, Level.OK), (None, Level.NOTE)])
def test_nodes_on_the_cpu_are_no_alarm_where_nothing_is_copied(copies: int | None, level: Level) -> None:
    """Steps that were all captured copy nothing between, whatever computes their shapes."""
    device = DeviceState(1, 2, captured=3, memcpy_nodes=copies, probe_seconds=0.1, uploaded_bytes=4, downloaded_bytes=5)
    facts = Facts("fp16", "CUDAExecutionProvider", 61, device, load_seconds=1, loaded_at=2)
    finding = models.report(read_bundle(REPOSITORY / "en-de" / "1"), "en-de/1", facts)
    assert finding.level == level
    assert "61 nodes run on the CPU" in finding.found
    assert ("arithmetic of shapes" in finding.found) == (level == Level.OK)
