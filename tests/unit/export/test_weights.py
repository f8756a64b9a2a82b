"""How weights lie in their file."""

from pathlib import Path

import numpy
import pytest

from export.weights import WeightFile

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("half", [True, False])
def test_every_array_is_stored_without_loss_and_once(tmp_path: Path, half: bool) -> None:
    file = WeightFile(tmp_path / "weights.bin", half)
    arrays = {
        "rounded": numpy.array([0.5, -3], numpy.float32),
        "scale": numpy.array([0.1, 1e-5], numpy.float32),
        "int8": numpy.array([[64, -64, 0]], numpy.int8),
        "zeros": numpy.zeros(4, numpy.int8),
        "other zeros": numpy.zeros(1, numpy.float32),  # as many bytes, or half of them, and all the same
    }
    tensors = {name: file.add(name, array) for name, array in arrays.items()}
    for name, array in arrays.items():
        assert tensors[name].name == name
        assert numpy.array_equal(tensors[name].numpy(), array)
    types = {name: tensor.dtype.name for name, tensor in tensors.items()}
    rounded = "FLOAT16" if half else "FLOAT"
    assert types == {
        "rounded": rounded, "scale": "FLOAT", "int8": "INT8", "zeros": "INT8", "other zeros": rounded,
    }  # fmt: skip
    size = (tmp_path / "weights.bin").stat().st_size
    assert file.add("again", arrays["int8"]).offset == tensors["int8"].offset
    assert (tmp_path / "weights.bin").stat().st_size == size
