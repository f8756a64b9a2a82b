"""The weights: rounded once for PyTorch and ONNX alike, and stored once for all graphs."""

import hashlib
from pathlib import Path

import numpy
import onnx_ir
import torch
from numpy.typing import NDArray
from torch import nn

from export.errors import ConversionError

ALIGNMENT = 64  # bytes; a cache line


def round_to_half(module: nn.Module) -> None:
    """Round all parameters, in place, to what half precision can hold.

    Raises:
        ConversionError: a weight is beyond its range; names it.
    """
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            rounded = parameter.half().float()
            if not bool(rounded.isfinite().all()):
                largest = f"{float(parameter.abs().max()):.3g}"
                raise ConversionError(f"{name} has values up to {largest}, too large for fp16: use --weights fp32")
            parameter.copy_(rounded)


class WeightFile:
    """Append arrays to a bundle's one file of weights; equal arrays share a place in it."""

    def __init__(self, path: Path, half: bool) -> None:
        self._path = path
        self.half = half
        self._places: dict[tuple[str, tuple[int, ...]], tuple[int, int]] = {}  # offset and length by content and shape
        path.touch()

    def add(self, name: str, array: NDArray[numpy.float32]) -> onnx_ir.ExternalTensor:
        """Store an array and return the tensor that refers to it."""
        data = numpy.ascontiguousarray(array, numpy.float16 if self.half else numpy.float32).tobytes()
        key = hashlib.sha256(data).hexdigest(), array.shape
        if key not in self._places:
            with self._path.open("ab") as file:
                file.write(bytes(-file.tell() % ALIGNMENT))
                self._places[key] = file.tell(), len(data)
                file.write(data)
        kind = onnx_ir.DataType.FLOAT16 if self.half else onnx_ir.DataType.FLOAT
        return onnx_ir.ExternalTensor(
            self._path.name,
            *self._places[key],
            kind,
            shape=onnx_ir.Shape(array.shape),
            name=name,
            base_dir=self._path.parent,
        )
