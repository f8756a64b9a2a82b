"""Skip this folder, with the reason, where PyTorch is missing; keep every test on one thread; hasten exports."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.torchlib import made_once
from tests.unit.models.conftest import _one_thread_and_one_seed, pytest_pycollect_makemodule

__all__ = ["_one_thread_and_one_seed", "pytest_pycollect_makemodule"]


@pytest.fixture(scope="session", autouse=True)
def _exports_without_waiting() -> Iterator[None]:
    """Keep the exports of fixtures on one thread, too, and trace a module once, told by its weights and tensors."""
    import torch

    from export import convert

    torch.set_num_threads(1)
    trace, known = convert.trace, dict[Any, Any]()

    def remembered(module: Any, *tensors: Any) -> Any:
        weights = ((name, tensor.numpy().tobytes()) for name, tensor in module.state_dict().items())
        key = type(module), tensors, *weights
        if key not in known:
            known[key] = trace(module, *tensors)
        return known[key]

    with made_once(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "trace", remembered)
        yield


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a SentencePiece model as other programs have it."""
    from tests.unit.export.checkpoints import train_vocabulary

    return train_vocabulary(tmp_path_factory.mktemp("foreign") / "their.model")
