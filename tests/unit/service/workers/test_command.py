"""Workers are spread over GPUs that models can run on."""

import pytest

from service import provider
from service.provider import Device
from service.workers import command


@pytest.mark.parametrize(
    ("device", "chosen", "gpus"),
    [("cuda", "cpu", 4), ("auto", "cuda", 4), ("auto", "cpu", 0), ("cpu", "cuda", 0)],
)
def test_gpus_count_where_models_can_run_on_them(
    monkeypatch: pytest.MonkeyPatch, device: str, chosen: str, gpus: int
) -> None:
    """`auto` stays on the CPU where CUDA does not work, `cuda` is for the worker to refuse, `cpu` asks nobody."""
    monkeypatch.setattr(command, "count_gpus", lambda: 4)
    monkeypatch.setattr(provider, "choose_device", lambda asked: Device(chosen))
    assert command.usable_gpus(device) == gpus
