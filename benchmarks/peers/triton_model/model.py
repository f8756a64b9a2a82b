"""The decode loop as a model of Triton's Python backend."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import triton_python_backend_utils as backend  # type: ignore[import-not-found]  # only inside Triton

from benchmarks.peers.loop import DecodeLoop, Translation


class TritonPythonModel:
    """Translate what Triton's dynamic batcher has put together."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the bundle that config.pbtxt names."""
        parameters = json.loads(args["model_config"])["parameters"]
        given = {key: parameter["string_value"] for key, parameter in parameters.items()}
        self._decoder = DecodeLoop(Path(given["bundle"]), int(given["threads"]), given["spinning"] == "1")
        self._drop = given["drop"] == "1"

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Decode the texts of all requests, one each, in one batch."""
        tensors = [backend.get_input_tensor_by_name(request, "text").as_numpy() for request in requests]
        texts = [tensor.item().decode() for tensor in tensors]
        return list(map(_response, self._decoder.translate(texts, self._drop)))


def _response(translation: Translation) -> Any:
    text = numpy.array([[translation.text.encode()]], object)
    target_tokens = numpy.array([[translation.target_tokens]], numpy.int32)
    return backend.InferenceResponse([backend.Tensor("text", text), backend.Tensor("target_tokens", target_tokens)])
