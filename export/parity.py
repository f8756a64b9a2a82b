"""The proof of an export: the serving code must compute what PyTorch computes, at shapes unlike the export's."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.errors import ParityError
from export.probe import Probe, Rounded, following
from models.attention import Memory
from models.seq2seq import Seq2Seq
from service.bundle import Bundle
from service.core.local import LocalCore
from service.cpu import available_cpus
from service.limits import EngineLimits
from service.parts import FP16, FP32, GREEDY_ROLES, INT8
from service.provider import Device
from service.runner import make_tables
from service.session import open_session
from service.setup import Setup

BATCHES, SOURCE_LENGTHS, WIDTHS = (1, 3, 7), (1, 5, 64), (1, 4)
ENCODERS = ("encoder", "encoder_sequence")
DECODERS = ("step", "step_full", "step_greedy", "step_select", "step_beam")
STEPS = 4
# Nats for log-probabilities; states and weights lie between -1 and 1.
TOLERANCES = {FP32: 1e-4, FP16: 0.1, INT8: 1e-4}
Arrays = Mapping[str, NDArray[numpy.generic]]


@dataclass
class Parity:
    """Sum up a comparison."""

    tolerance: float
    largest: float = 0.0  # absolute difference of anything compared
    ties: int = 0  # candidates in another order whose log-probabilities are within the tolerance

    def compare(self, what: str, found: NDArray[numpy.generic], expected: Tensor) -> None:
        """Compare a tensor.

        Raises:
            ParityError: it is not finite or too far off.
        """
        difference = numpy.abs(found.astype(numpy.float64) - expected.double().numpy()).max()
        if not difference < self.tolerance:  # nan too
            raise ParityError(f"{what} differs from PyTorch by {difference:.2e}, allowed is {self.tolerance}")
        self.largest = max(self.largest, float(difference))

    def compare_candidates(self, what: str, found: NDArray[numpy.int64], log_probabilities: Tensor) -> None:
        """Compare the best ids (B, W, C) with those of PyTorch's log-probabilities (B, W, V).

        Raises:
            ParityError: another id is there, and not because of a tie.
        """
        ids = torch.from_numpy(found)
        best, expected = log_probabilities.topk(ids.shape[-1], dim=-1)
        differ = ids != expected
        gap = float(((best - log_probabilities.gather(-1, ids)).abs() * differ).max())
        if gap >= self.tolerance or any(len(set(row)) < len(row) for row in ids.flatten(0, 1).tolist()):
            raise ParityError(f"{what} are not PyTorch's: in one place the log-probabilities are {gap:.2e} apart")
        self.ties += int(differ.sum())

    def compare_beam(self, where: str, totals: NDArray[numpy.float64], outputs: Arrays, end: int) -> None:
        """Compare what a beam goes on with, of the candidates that the graph itself gave; exactly.

        Raises:
            ParityError: another candidate was chosen, or its total is another.
        """
        ids = outputs["candidate_ids"]
        sums = totals[:, :, None] + outputs["candidate_log_probabilities"].astype(numpy.float64)
        sums = numpy.where(ids == end, -numpy.inf, sums).reshape(len(ids), -1)
        places = numpy.argsort(-sums, axis=1, kind="stable")[:, : ids.shape[1]]
        for name, expected in {
            "next_ids": numpy.take_along_axis(ids.reshape(len(ids), -1), places, 1),
            "next_parents": places // ids.shape[2],
            "next_totals": numpy.take_along_axis(sums, places, 1),
        }.items():
            if not numpy.array_equal(outputs[name], expected):
                raise ParityError(f"{name} {where} are not the best of the candidates: {outputs[name]}, not {expected}")


class Graphs:
    """Run a bundle's graphs of one precision as the server does."""

    def __init__(self, bundle: Bundle, precision: str) -> None:
        manifest = bundle.manifest
        self.state = [tensor.name for tensor in manifest.state]
        self.memory = [tensor.name for tensor in manifest.memory]
        self.pad, self.end = manifest.special_ids.pad, manifest.special_ids.eos
        self.vocabulary = manifest.vocabulary.size
        device, threads = Device("cpu"), available_cpus()
        roles = [role for role in (*ENCODERS, *DECODERS) if manifest.has(role, precision)]
        self.goes_ahead = manifest.has("step_ahead", precision)
        self.encoders, self.decoders = ([role for role in one if role in roles] for one in (ENCODERS, DECODERS))
        graphs = {role: manifest.graph(role, precision) for role in roles}
        if self.goes_ahead:
            graphs["step_ahead"] = manifest.graph("step_ahead", precision)
        self._inputs = {role: [tensor.name for tensor in graph.inputs] for role, graph in graphs.items()}
        self._sessions = {role: open_session(bundle, graph, device, threads) for role, graph in graphs.items()}
        tables = make_tables(manifest, open_session(bundle, manifest.graph("tables"), device, threads))
        self._tables = {
            role: {t.name: tables[t.name].astype(t.type) for t in graph.inputs if t.name in tables}
            for role, graph in graphs.items()
        }
        probed = [role for role in roles if precision == INT8]  # not steps ahead, which are compared with single ones
        self._probes = {role: Probe(bundle.file(graphs[role].file)) for role in probed}

    def run(self, role: str, **feed: NDArray[numpy.generic]) -> Arrays:
        """Run one graph, with what it reads of a feed; gives its outputs by name."""
        session = self._sessions[role]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, self._read(role, feed)), strict=True))

    def rounded(self, role: str, **feed: NDArray[numpy.generic]) -> Rounded:
        """Tell what the integer products of one graph read; a graph in float has none."""
        return self._probes[role].run(self._read(role, feed)) if role in self._probes else {}

    def _read(self, role: str, feed: Arrays) -> dict[str, NDArray[numpy.generic]]:
        return {name: feed[name] for name in self._inputs[role] if name in feed} | self._tables[role]


@torch.no_grad()
def check_graphs(bundle: Bundle, precision: str, model: Seq2Seq) -> Parity:
    """Compare every graph of a precision with the model that it was made from.

    Raises:
        ParityError: a tensor differs; names it and the shape.
    """
    graphs, parity = Graphs(bundle, precision), Parity(TOLERANCES[precision])
    random = numpy.random.default_rng(0)
    for batch in BATCHES:
        for steps in SOURCE_LENGTHS:
            lengths = random.integers(1, steps + 1, batch)
            lengths[0], lengths[1:2] = steps, 0  # the longest, and from two sentences up an empty slot
            ids = random.integers(graphs.pad + 1, graphs.vocabulary, (batch, steps))
            ids[numpy.arange(steps) >= lengths[:, None]] = graphs.pad
            for role in reversed(graphs.encoders):  # steps read what the first of them gives
                encoded = _check_encoder(role, graphs, model, parity, ids, lengths)
            for width in WIDTHS:
                _check_steps(graphs, model, parity, encoded, lengths, width, random)
    return parity


def _check_encoder(
    role: str, graphs: Graphs, model: Seq2Seq, parity: Parity, ids: NDArray[numpy.int64], lengths: NDArray[numpy.int64]
) -> Arrays:
    """Encode sources (B, S); gives the graph's outputs."""
    feed = {"source_ids": ids, "source_lengths": lengths}
    encoded = graphs.run(role, **feed)
    where = f"{role} at B = {len(ids)}, S = {ids.shape[1]}"
    with following(model, graphs.rounded(role, **feed), parity.tolerance, where):
        memory, state = model.encode(torch.from_numpy(ids), torch.from_numpy(lengths))
    for name in graphs.memory:
        found, expected = encoded[name], memory.tensors[name]
        if found.ndim == 3:  # what is beyond the lengths is never read
            real = (ids != graphs.pad)[:, :, None]
            found, expected = found * real, expected * torch.from_numpy(real)
        parity.compare(f"{name} of the {where}", found, expected)
    for name, first in zip(graphs.state, state, strict=True):
        parity.compare(f"{name} of the {where}", encoded[name], first[:, 0])
    return encoded


def _check_steps(
    graphs: Graphs,
    model: Seq2Seq,
    parity: Parity,
    encoded: Arrays,
    lengths: NDArray[numpy.int64],
    width: int,
    random: numpy.random.Generator,
) -> None:
    """Take several steps in a row along random words and parents, PyTorch from what the graphs gave.

    So the tolerance is one for a step; what differences add up to over a sentence, the golden translations show.
    """
    memory = Memory({name: torch.from_numpy(encoded[name]) for name in graphs.memory}, torch.from_numpy(lengths))
    batch, source_length = len(lengths), max(lengths)
    fixed = {"source_lengths": lengths, **{name: encoded[name] for name in graphs.memory}}
    own = {name: numpy.repeat(encoded[name][:, None], width, axis=1) for name in graphs.state}
    for number in range(1, STEPS + 1):
        previous = random.integers(0, graphs.vocabulary, (batch, width))
        parents = random.integers(0, width, (batch, width))
        totals = -random.exponential(size=(batch, width))
        totals[:, number % width or width :] = -numpy.inf  # hypotheses that have ended
        moved = {name: numpy.stack([own[name][b, p] for b, p in enumerate(parents)]) for name in graphs.state}
        before = tuple(torch.from_numpy(array) for array in moved.values())
        where = f"at B = {batch}, S = {source_length}, W = {width}, step {number}"
        for role in graphs.decoders:
            states = moved if role in GREEDY_ROLES else {"parents": parents, **own}
            feed = {"previous_ids": previous, **fixed, **states}
            outputs = graphs.run(role, **feed, **({"totals": totals} if role == "step_beam" else {}))
            with following(model, graphs.rounded(role, **feed), parity.tolerance, f"{role} {where}"):
                logits, state, alignment = model.step(torch.from_numpy(previous), before, memory)
            if alignment is not None:
                parity.compare(f"alignment of {role} {where}", outputs["alignment"], alignment)
            for name, expected in zip(graphs.state, state, strict=True):
                parity.compare(f"next_{name} of {role} {where}", outputs[f"next_{name}"], expected)
            _check_choices(f"{role} {where}", parity, outputs, logits)
            if role == "step_beam":
                parity.compare_beam(f"of {role} {where}", totals, outputs, graphs.end)
            elif role == "step_select":
                ids = outputs["next_ids"][:, :, None].astype(numpy.int64)
                parity.compare_candidates(f"next_ids of {role} {where}", ids, torch.log_softmax(logits, dim=-1))
        own = {name: outputs[f"next_{name}"] for name in graphs.state}
    if graphs.goes_ahead:
        _check_ahead(graphs, {"previous_ids": previous, **fixed, **own}, where)


def _check_ahead(graphs: Graphs, feed: Mapping[str, NDArray[numpy.generic]], where: str) -> None:
    """Compare several steps in one call with as many calls of `step_greedy`, to the bit.

    Raises:
        ParityError: a piece or a state is another, or it ended sooner or later than every hypothesis had.
    """
    width = feed["previous_ids"].shape[1]
    taken: dict[str, NDArray[numpy.generic]] = dict(feed)
    ids: list[NDArray[numpy.generic]] = []
    ended = feed["previous_ids"] == graphs.end
    while len(ids) < STEPS and not (ids and ended.all()):
        outputs = graphs.run("step_greedy", **taken)
        ids.append(outputs["logits"].argmax(axis=-1))
        ended |= ids[-1] == graphs.end
        own = {name: outputs[f"next_{name}"] for name in graphs.state}
        taken |= {"previous_ids": ids[-1], **own}
    found = graphs.run("step_ahead", **feed, steps=numpy.array(STEPS))
    same = [numpy.array_equal(found[f"next_{name}"], taken[name]) for name in graphs.state]
    if not (numpy.array_equal(found["ahead_ids"], numpy.stack(ids)) and all(same)):
        raise ParityError(f"step_ahead {where}, W = {width}, does not say what step_greedy does, one by one")


def _check_choices(where: str, parity: Parity, outputs: Arrays, logits: Tensor) -> None:
    """Compare the scores that a step gives, in whichever form, with PyTorch's logits (B, W, V)."""
    log_probabilities = torch.log_softmax(logits, dim=-1)
    if "candidate_ids" in outputs:
        ids = outputs["candidate_ids"].astype(numpy.int64)
        parity.compare_candidates(f"candidate_ids of {where}", ids, log_probabilities)
        best = log_probabilities.gather(-1, torch.from_numpy(ids))
        name = "candidate_log_probabilities"
        parity.compare(f"{name} of {where}", outputs[name], best)
    for name, expected in (("log_probabilities", log_probabilities), ("logits", logits)):
        if name in outputs:
            parity.compare(f"{name} of {where}", outputs[name], expected)


def check_golden(bundle: Bundle, precision: str) -> None:
    """Load the bundle as a server does, which translates its golden sentences in a precision.

    Raises:
        BundleError: the server would refuse it.
    """
    limits = EngineLimits(slots=len(bundle.manifest.golden), queue=len(bundle.manifest.golden))
    LocalCore(Setup(bundle, Device("cpu"), available_cpus(), limits, precision), lambda requests: None).close()
