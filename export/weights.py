"""The weights: rounded once for PyTorch and ONNX alike, and stored once for all graphs."""

import hashlib
from collections import ChainMap
from pathlib import Path

import numpy
import onnx_ir
import torch
from numpy.typing import NDArray
from torch import nn

from export.errors import ConversionError

ALIGNMENT = 64  # bytes; a cache line
Array = NDArray[numpy.float32 | numpy.float16 | numpy.int8]
Key = tuple[str, onnx_ir.DataType, tuple[int, ...]]  # digest, type and shape
Place = tuple[str, int, int]  # file, offset and length


def round_to_half(module: nn.Module, otherwise: str = "use --weights fp32") -> None:
    """Round all parameters, in place, to what half precision can hold.

    Raises:
        ConversionError: a weight is beyond its range; names it.
    """
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            rounded = parameter.half().float()
            if not bool(rounded.isfinite().all()):
                largest = f"{float(parameter.abs().max()):.3g}"
                raise ConversionError(f"{name} has values up to {largest}, too large for fp16: {otherwise}")
            parameter.copy_(rounded)


class WeightFile:
    """Append arrays to a file of a bundle's weights; equal arrays share a place in it, or in an earlier file.

    Where an earlier file has them all, there is none.
    """

    def __init__(self, path: Path, half: bool, earlier: "WeightFile | None" = None) -> None:
        self._path = path
        self._half = half
        self._places: ChainMap[Key, Place] = ChainMap({}, {} if earlier is None else earlier._places)

    def add(self, name: str, array: Array) -> onnx_ir.ExternalTensor:
        """Store an array and return the tensor that refers to it.

        If `half`, numbers that fp16 holds exactly are stored as such: rounded weights are, scales of int8 ones are not.
        """
        if self._half and array.dtype == numpy.float32:
            rounded = array.astype(numpy.float16)
            array = rounded if numpy.array_equal(rounded, array) else array
        data, kind = numpy.ascontiguousarray(array).tobytes(), onnx_ir.DataType.from_numpy(array.dtype)
        key = hashlib.sha256(data).hexdigest(), kind, array.shape
        if key not in self._places:
            with self._path.open("ab") as file:
                file.write(bytes(-file.tell() % ALIGNMENT))
                self._places[key] = self._path.name, file.tell(), len(data)
                file.write(data)
        return onnx_ir.ExternalTensor(
            *self._places[key],
            kind,
            shape=onnx_ir.Shape(array.shape),
            name=name,
            base_dir=self._path.parent,
        )
