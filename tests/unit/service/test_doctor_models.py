"""What the doctor says of the memory that the versions of a repository take."""

import pytest

from seq2serve.doctor.finding import Finding, Level
from service.bundle import read_bundle
from service.doctor import models
from service.memory import LOADED
from service.settings import read_settings
from tests.server_process import ROOT

REPOSITORY = ROOT / "model_repository"


def _levels(monkeypatch: pytest.MonkeyPatch, left: int) -> list[Level]:
    """Check both bundled models where `left` bytes are left at first, and hardly any later."""
    readings = iter([left, 1000, 1000])
    monkeypatch.setattr(models, "available_bytes", lambda: next(readings))
    monkeypatch.setattr(models, "_try", lambda bundle, subject, *_: Finding(Level.OK, subject, "tried"))
    settings = read_settings(["--model-repository", str(REPOSITORY), "--device", "cpu"])
    return [finding.level for finding in models.check_models(settings)]


def test_all_versions_must_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server holds them all, in what was left before the first was loaded."""
    bundles = [read_bundle(REPOSITORY / name / "1") for name in ("en-de", "en-fr")]
    need = LOADED * sum(file.bytes for bundle in bundles for file in bundle.manifest.files.values())
    assert _levels(monkeypatch, need) == [Level.OK, Level.OK]
    assert _levels(monkeypatch, need - 1) == [Level.OK, Level.FAULT]
    assert _levels(monkeypatch, 1 << 20) == [Level.FAULT, Level.FAULT]
