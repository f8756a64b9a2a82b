"""How many of those in flight a thread takes before another begins follows from what was measured of the model."""

import pytest

from service.bundle import read_bundle
from service.core.local import LocalCore
from service.limits import EngineLimits
from service.provider import Device
from service.runner import MANY, OnnxRunner
from service.setup import Setup
from tests.server_process import ROOT


@pytest.mark.parametrize(
    ("times", "slots", "full"),
    [(1.6, 3 * MANY, MANY), (1.6, 10, 5), (1.6, 1, 1), (1.1, 2 * MANY, 2 * MANY), (1.1, 2 * MANY - 2, MANY - 1)],
)
def test_a_shard_takes_all_where_rows_are_stepped_together(
    times: float, slots: int, full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, and where there are fewer slots than was measured, the other begins when it has many, or its part."""
    monkeypatch.setattr(OnnxRunner, "_times", lambda self, wide, rows, narrow_rows: times)
    bundle = read_bundle(ROOT / "model_repository" / "en-de" / "1")
    core = LocalCore(Setup(bundle, Device("cpu"), 2, EngineLimits(slots, 16), "int8"), lambda requests: None)
    core.close()
    assert core._engine.scheduler.full == full
