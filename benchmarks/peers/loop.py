"""The decode loop that peers share: a bundle's graphs, called batch by batch.

It also runs inside Triton, so it needs nothing but numpy, ONNX Runtime and SentencePiece.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy
import sentencepiece
from numpy.typing import NDArray

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before the import, as docs/adr/0004 says

import onnxruntime

# The graphs of a step, the one with the least work first: which output tells the best piece (B, W), and how.
STEPS: dict[str, tuple[str, Callable[[NDArray[Any]], NDArray[numpy.int64]]]] = {
    "step_greedy": ("logits", lambda logits: logits.argmax(axis=-1)),
    "step": ("candidate_ids", lambda ids: ids[..., 0]),
}
ALIGNMENT = 8  # source lengths are padded to multiples, so that a row's bits do not depend on its batch mates
Arrays: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Translation:
    """Hold a translated text, and its pieces' number."""

    text: str
    target_tokens: int


class Graph:
    """Run a graph on the CPU, with the options of service/session.py."""

    def __init__(self, path: Path, threads: int, spinning: bool, tables: Arrays) -> None:
        """Load a graph; those tables that it reads are fed to every call."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs = {node.name for node in self._session.get_inputs()}
        self._tables = {name: table for name, table in tables.items() if name in self.inputs}

    def run(self, outputs: Sequence[str], feed: Arrays) -> list[NDArray[Any]]:
        """Compute outputs by their names."""
        arrays: list[NDArray[Any]] = self._session.run(outputs, feed | self._tables)
        return arrays


class DecodeLoop:
    """Translate batches greedily, each until its longest is done."""

    def __init__(self, bundle: Path, threads: int, spinning: bool = False, precision: str = "fp32") -> None:
        """Load the graphs of REPOSITORY/NAME/VERSION; ONNX Runtime's own default is to let idle threads spin."""
        self._manifest: dict[str, Any] = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
        files = {
            graph["role"]: bundle / graph["file"]
            for graph in self._manifest["graphs"]
            if graph["role"] == "tables" or graph["precision"] == precision
        }
        role = next(role for role in STEPS if role in files)
        self._output, self._best = STEPS[role]
        tables: Arrays = {}
        if names := [tensor["name"] for tensor in self._manifest.get("tables", ())]:
            every = {"piece_ids": numpy.arange(self._manifest["vocabulary"]["size"])}
            arrays = Graph(files["tables"], threads, spinning, {}).run(names, every)
            tables = dict(zip(names, arrays, strict=True))
        # Threads as service/runner.py shares them out.
        self._encoder = Graph(files["encoder"], max(1, threads // 2), spinning, tables)
        self._step = Graph(files[role], threads, spinning, tables)
        self._memory = [tensor["name"] for tensor in self._manifest["memory"]]
        self._state = [tensor["name"] for tensor in self._manifest["state"]]
        vocabulary = bundle / self._manifest["vocabulary"]["file"]
        self._vocabulary = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))

    def encode(self, text: str) -> list[int]:
        """Split a text into pieces."""
        ids: list[int] = self._vocabulary.encode(text)
        return ids

    def translate(self, texts: Sequence[str], drop: bool = False) -> list[Translation]:
        """Translate texts in one batch."""
        return self.translate_ids([self.encode(text) for text in texts], drop)

    def translate_ids(self, sources: Sequence[Sequence[int]], drop: bool = False) -> list[Translation]:
        """Translate pieces in one batch; `drop`: finished rows leave it, instead of staying until its end."""
        targets = self._decode(sources, drop)
        return [Translation(self._vocabulary.decode(target), len(target)) for target in targets]

    def _decode(self, sources: Sequence[Sequence[int]], drop: bool) -> list[list[int]]:
        """Choose the best piece of every row, until all have ended or said 2 S + 10 pieces."""
        special, names = self._manifest["special_ids"], [f"next_{name}" for name in self._state]
        feed = self._encode(sources, special["pad"])
        limits = numpy.minimum(self._manifest["limits"]["max_length"], 2 * feed["source_lengths"] + 10)
        feed["previous_ids"] = numpy.full((len(sources), 1), special["bos"], numpy.int64)
        if "parents" in self._step.inputs:
            feed["parents"] = numpy.zeros((len(sources), 1), numpy.int64)
        said = numpy.full((len(sources), limits.max()), special["eos"], numpy.int64)
        rows = numpy.arange(len(sources))  # of the sources that are still in the batch
        ended = numpy.zeros(len(sources), numpy.bool_)
        for place in range(said.shape[1]):
            *states, offered = self._step.run([*names, self._output], feed)
            best = self._best(offered)
            said[rows, place] = best[:, 0]
            ended |= (best[:, 0] == special["eos"]) | (place + 1 >= limits[rows])
            if ended.all():
                break
            feed.update(zip(self._state, states, strict=True), previous_ids=best)
            if drop and ended.any():
                feed = {name: array[~ended] for name, array in feed.items()}
                rows, ended = rows[~ended], ended[~ended]
        return [_until(row[:limit], special["eos"]) for row, limit in zip(said, limits, strict=True)]

    def _encode(self, sources: Sequence[Sequence[int]], pad: int) -> Arrays:
        """Encode sources in one batch, with states (B, 1, *) as the step takes them."""
        lengths = numpy.array([len(source) for source in sources], numpy.int64)
        padded = numpy.full((len(sources), -(-int(lengths.max()) // ALIGNMENT) * ALIGNMENT), pad, numpy.int64)
        for row, source in zip(padded, sources, strict=True):
            row[: len(source)] = source
        names = self._memory + self._state
        arrays = self._encoder.run(names, {"source_ids": padded, "source_lengths": lengths})
        feed = dict(zip(names, arrays, strict=True))
        return feed | {name: feed[name][:, None] for name in self._state} | {"source_lengths": lengths}


def _until(row: NDArray[numpy.int64], eos: int) -> list[int]:
    ids: list[int] = row.tolist()
    return ids[: ids.index(eos)] if eos in ids else ids
