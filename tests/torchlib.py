"""PyTorch's table of how its operators are written in ONNX, which it would make anew for every graph."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache

import pytest


@contextmanager
def made_once() -> Iterator[None]:
    """Make the table once for all exports of this process: its thousands of functions take a second to parse."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    make = cache(ONNXRegistry.from_torchlib)

    def from_torchlib(opset_version: int) -> ONNXRegistry:
        registry = copy(make(opset_version))
        registry.functions = {name: list(functions) for name, functions in registry.functions.items()}  # we add ours
        return registry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(from_torchlib))
        yield
