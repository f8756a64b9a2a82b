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


def test_another_file_holds_only_what_the_earlier_one_lacks(tmp_path: Path) -> None:
    """Whenever that was stored."""
    earlier = WeightFile(tmp_path / "weights.bin", True)
    file = WeightFile(tmp_path / "weights_int8.bin", True, earlier)
    bias, product = numpy.array([0.5, -3], numpy.float32), numpy.array([[64, -64, 0]], numpy.int8)
    earlier.add("bias", bias)
    stored = {name: file.add(name, array) for name, array in (("bias", bias), ("product", product))}
    assert {name: tensor.location for name, tensor in stored.items()} == {
        "bias": "weights.bin", "product": "weights_int8.bin",
    }  # fmt: skip
    assert (tmp_path / "weights_int8.bin").read_bytes() == product.tobytes()
    assert numpy.array_equal(stored["bias"].numpy(), bias)
