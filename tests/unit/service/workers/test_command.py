"""Workers are spread over GPUs that models can run on."""

import onnxruntime
import pytest

from service.workers import command

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.mark.parametrize(
    ("device", "providers", "gpus"),
    [
        ("cuda", [CUDA, CPU], 4),
        ("cuda", [CPU], 4),
        ("auto", [CUDA, CPU], 4),
        ("auto", [CPU], 0),
        ("cpu", [CUDA, CPU], 0),
    ],
)
def test_gpus_count_where_models_can_run_on_them(
    monkeypatch: pytest.MonkeyPatch, device: str, providers: list[str], gpus: int
) -> None:
    """`auto` stays on the CPU where ONNX Runtime lacks CUDA, `cuda` is for the worker to refuse, `cpu` asks nobody."""
    monkeypatch.setattr(command, "count_gpus", lambda: 4)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    assert command.usable_gpus(device) == gpus
