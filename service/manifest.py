"""What a bundle says of itself, and whether that is consistent."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field, model_validator

from service.errors import quoted
from service.parts import (
    GREEDY_ROLES,
    MAX_PIECES,
    NO_ATTENTION,
    REQUIRED_ROLES,
    Architecture,
    File,
    Golden,
    Graph,
    Limits,
    Part,
    Score,
    SpecialIds,
    Tensor,
    Vocabulary,
)

MANIFEST = "manifest.json"
FILE_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
MAX_FEATURES = 1 << 20  # numbers of one state, or of one position of memory
# What graphs are told of choices and tell of them, in the types of the search; N are steps of one call.
CHOICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "next_ids": ("int64", ("B", "W")),
    "next_parents": ("int64", ("B", "W")),
    "next_totals": ("float64", ("B", "W")),
    "totals": ("float64", ("B", "W")),
    "steps": ("int64", ()),
    "ahead_ids": ("int64", ("N", "B", "W")),
    "ahead_logits": ("float32", ("N", "B", "W")),
}


class Manifest(Part):
    """Describe a bundle completely."""

    format_version: int
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    producer: str
    description: str = ""
    source_language: str
    target_language: str
    architecture: Architecture
    special_ids: SpecialIds
    vocabulary: Vocabulary
    limits: Limits
    candidates: int = Field(ge=1, le=MAX_PIECES)  # C of `step`
    source_end: bool = False  # the encoder reads eos behind the pieces of a source
    state: tuple[Tensor, ...] = Field(min_length=1)  # of one hypothesis: (B, W, *)
    memory: tuple[Tensor, ...]  # of one sentence: (B, S, *), or (B, *) where it is the same at every position
    # Further inputs of graphs, (V, *): what the graph of the role `tables` gives for all pieces.
    tables: tuple[Tensor, ...] = ()
    graphs: tuple[Graph, ...]
    files: dict[str, File]
    golden: tuple[Golden, ...] = Field(min_length=1)
    training_data: tuple[str, ...] = ()
    licence: str = ""
    scores: tuple[Score, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        roles = [graph.role for graph in self.graphs]
        for role in REQUIRED_ROLES:
            if role not in roles:
                raise ValueError(f"no graph has the required role {role!r}")
        if not self.precisions:
            raise ValueError(f"no precision has a graph for each of the required roles {', '.join(REQUIRED_ROLES)}")
        for name in (self.vocabulary.file, *(graph.file for graph in self.graphs)):
            if name not in self.files:
                raise ValueError(f"{quoted(name)} is used but not listed under files")
        for name in self.files:
            if not FILE_NAME.fullmatch(name) or name == MANIFEST:
                raise ValueError(f"{quoted(name)} is not a plain file name inside the bundle")
        self._check_pieces()
        for family, axis, tensors in (("state", "W", self.state), ("memory", "S", self.memory)):
            for tensor in tensors:
                axes = tensor.shape[: len(tensor.shape) - len(tensor.features)]
                if axes != ("B", axis) and (family, axes) != ("memory", ("B",)):
                    why = f"has shape {tensor.shape}, (B, {axis}, numbers) expected"
                    raise ValueError(f"{family} tensor {tensor.name!r} {why}")
                if math.prod(tensor.features) > MAX_FEATURES:
                    raise ValueError(f"{family} tensor {tensor.name!r} has shape {tensor.shape}, which is too large")
        for tensor in self.tables:
            if len(tensor.shape) != 2 or tensor.shape[0] != self.vocabulary.size or len(tensor.features) != 2:
                raise ValueError(
                    f"table {tensor.name!r} has shape {tensor.shape}, ({self.vocabulary.size}, *) expected"
                )
        if self.tables and "tables" not in roles:
            raise ValueError("there are tables, but no graph has the role 'tables'")
        refuse_twice([tensor.name for tensor in (*self.state, *self.memory, *self.tables)], "tensor")
        for graph in self.graphs:
            expected = self._signature(graph.role)
            if expected is None:
                continue
            for kind, wanted, found in zip(("inputs", "outputs"), expected, (graph.inputs, graph.outputs), strict=True):
                names = {tensor.name for tensor in found}
                if kind == "inputs":
                    names -= {tensor.name for tensor in self.tables}  # whichever it reads
                    if graph.role in GREEDY_ROLES:
                        names.discard("parents")  # which earlier bundles follow there, too
                if names != wanted:
                    raise ValueError(f"graph {graph.name!r} has {kind} {sorted(names)}, {sorted(wanted)} expected")
            self._check_sizes(graph)
            self._check_choices(graph)
        return self

    def _check_pieces(self) -> None:
        """See that what numbers pieces means some that there are, and that every precision can prove itself."""
        special = self.special_ids
        numbers = (special.pad, special.unk, special.bos, special.eos)
        if len(set(numbers)) < len(numbers) or max(numbers) >= self.vocabulary.size:
            raise ValueError(f"special_ids are {numbers}, different ones below {self.vocabulary.size} expected")
        for golden in self.golden:
            if len(golden.source_ids) > self.limits.max_source_tokens:
                raise ValueError(f"golden sentence {quoted(golden.source)} is longer than max_source_tokens")
            for precision in self.precisions:
                if precision not in golden.outputs:
                    raise ValueError(f"golden sentence {quoted(golden.source)} has no translation in {precision}")
            ids = {*golden.source_ids, *(piece for output in golden.outputs.values() for piece in output.ids)}
            if min(ids) < 0 or max(ids) >= self.vocabulary.size:
                raise ValueError(
                    f"golden sentence {quoted(golden.source)} has pieces that the vocabulary does not have"
                )

    def _check_sizes(self, graph: Graph) -> None:
        """See that what passes from graph to graph has the same shape in each of them."""
        shapes = {tensor.name: tensor.shape for tensor in (*self.state, *self.memory)}
        for tensor in (*graph.inputs, *graph.outputs):
            wanted = shapes.get(tensor.name.removeprefix("next_"), tensor.shape)
            if graph.role.startswith("encoder"):
                wanted = tuple(axis for axis in wanted if axis != "W")  # which gives one state for all hypotheses
            if tensor.shape != wanted:
                raise ValueError(
                    f"graph {graph.name!r}: {tensor.name} has shape {tensor.shape}, the manifest says {wanted}"
                )

    def _check_choices(self, graph: Graph) -> None:
        """See that a step offers as many pieces as the manifest says, and tells of choices as the search does."""
        sizes: dict[str, tuple[Literal["C", "V"], int]] = {
            **dict.fromkeys(("candidate_ids", "candidate_log_probabilities"), ("C", self.candidates)),
            **dict.fromkeys(("log_probabilities", "logits"), ("V", self.vocabulary.size)),
        }
        for tensor in (*graph.inputs, *graph.outputs):
            name, kind, shape = tensor.name, tensor.type, tensor.shape
            letter, size = sizes.get(name, ("C", 0))
            if size and (len(shape) != 3 or shape[-1] not in (letter, size)):
                raise ValueError(f"graph {graph.name!r}: {name} has shape {shape}, (B, W, {size}) expected")
            wanted, axes = CHOICES.get(name, (kind, shape))
            if kind != wanted or shape != axes:
                letters = f"({', '.join(map(str, axes))})"
                raise ValueError(f"graph {graph.name!r}: {name} is {kind} {shape}, {wanted} {letters} expected")

    def _signature(self, role: str) -> tuple[set[str], set[str]] | None:
        state, memory = {t.name for t in self.state}, {t.name for t in self.memory}
        if role == "tables":
            return {"piece_ids"}, {tensor.name for tensor in self.tables}
        if role in ("encoder", "encoder_sequence"):
            return {"source_ids", "source_lengths"}, state | memory
        inputs = {"previous_ids", "source_lengths"} | state | memory
        if role not in GREEDY_ROLES:
            inputs.add("parents")
        following = {f"next_{name}" for name in state}
        if role == "step_ahead":
            return inputs | {"steps"}, following | {"ahead_ids", "ahead_logits"}
        following |= {"alignment"} if self.has_attention else set()
        chosen = {
            "step": {"candidate_ids", "candidate_log_probabilities"},
            "step_full": {"log_probabilities"},
            "step_greedy": {"logits"},
            "step_select": {"next_ids"},
            "step_beam": {"candidate_ids", "candidate_log_probabilities", "next_ids", "next_parents", "next_totals"},
        }
        if role not in chosen:
            return None
        return inputs | ({"totals"} if role == "step_beam" else set()), following | chosen[role]

    @property
    def has_attention(self) -> bool:
        """Tell whether steps say where in the source they looked."""
        return self.architecture.attention != NO_ATTENTION

    @property
    def precisions(self) -> tuple[str, ...]:
        """List the precisions that the model can be served in, as they have a graph for each required role."""
        found = dict.fromkeys(graph.precision for graph in self.graphs)
        return tuple(one for one in found if all(self.has(role, one) for role in REQUIRED_ROLES))

    def graph(self, role: str, precision: str | None = None) -> Graph:
        """Return the graph of a role, known to be there, in a precision; none: whichever comes first."""
        return next(self._graphs(role, precision))

    def has(self, role: str, precision: str | None = None) -> bool:
        """Tell whether there is a graph of a role, in a precision or in any."""
        return any(self._graphs(role, precision))

    def _graphs(self, role: str, precision: str | None) -> Iterator[Graph]:
        return (graph for graph in self.graphs if graph.role == role and precision in (None, graph.precision))

    def digest(self) -> str:
        """Return one SHA-256 over all files, as sha256:HEX."""
        total = hashlib.sha256()
        for name in sorted(self.files):
            total.update(f"{self.files[name].sha256}  {name}\n".encode())
        return f"sha256:{total.hexdigest()}"


def refuse_twice(names: Sequence[str], kind: str) -> None:
    """Refuse names that are not all different.

    Raises:
        ValueError: one is there twice; says which.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{kind} {quoted(twice[0])} is there twice")
