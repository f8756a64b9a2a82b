"""The disk contract between what builds models and what serves them.

REPOSITORY/NAME/VERSION/manifest.json names every other file of the folder with its size and SHA-256, so nothing
unlisted, truncated or altered is ever loaded. Every number in it is bounded before anything is allocated by it.
"""

import hashlib
import json
import math
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.errors import BundleError, quoted

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
REQUIRED_ROLES = ("encoder", "step", "step_full")
OPTIONAL_ROLES = ("tables", "step_greedy", "step_select", "step_beam", "encoder_sequence")
FP32, FP16, INT8 = "fp32", "fp16", "int8"  # precisions of graphs
# What graphs are told of choices and tell of them, (B, W) in the types of the search.
CHOICES = {"next_ids": "int64", "next_parents": "int64", "next_totals": "float64", "totals": "float64"}
NO_ATTENTION = "none"
VERSION = re.compile("[1-9][0-9]{0,17}")  # so that it is written in one way, and fits the API's numbers
FILE_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
# Far above what any model of ours needs, and no more than a machine can bear.
MAX_MANIFEST = 4 << 20  # bytes
MAX_FILE = 8 << 30  # bytes
MAX_PIECES = 1 << 20  # of the vocabulary
MAX_TOKENS = 1 << 16  # of a source or a target
MAX_FEATURES = 1 << 20  # numbers of one state, or of one position of memory
SAID = 500  # characters of each thing that is wrong with a manifest
Size = Annotated[int, Field(ge=1, le=MAX_PIECES)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a newer minor writer may add what we do not know


class SpecialIds(_Part):
    """Number the pieces with a meaning of their own."""

    pad: int = Field(ge=0)
    unk: int = Field(ge=0)
    bos: int = Field(ge=0)
    eos: int = Field(ge=0)


class Vocabulary(_Part):
    """Name the SentencePiece model of both languages."""

    file: str
    size: int = Field(ge=4, le=MAX_PIECES)


class Tensor(_Part):
    """Describe one tensor of a graph; letters are dynamic axes, numbers are fixed."""

    name: str
    type: Literal["float64", "float32", "float16", "int64"]
    shape: tuple[Size | Literal["B", "S", "W", "C", "V"], ...]

    @property
    def features(self) -> tuple[int, ...]:
        """Return the fixed sizes behind the dynamic axes."""
        return tuple(size for size in self.shape if isinstance(size, int))


class Graph(_Part):
    """Describe one ONNX graph; a reader ignores roles that it does not know."""

    name: str
    role: str
    precision: str
    file: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class File(_Part):
    """Pin the content of one file."""

    bytes: int = Field(ge=0, le=MAX_FILE)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Architecture(_Part):
    """Say what kind of model this is; for people, never for the engine.

    But where `attention` is none, steps give no alignment.
    """

    cell: str
    attention: str
    parameters: int = Field(ge=0, lt=1 << 63)
    summary: str = ""
    options: dict[str, bool | int | float | str] = {}  # of the recipe, from which an export builds it again


class Limits(_Part):
    """Bound what a request may ask of the model, in pieces without bos and eos."""

    max_source_tokens: int = Field(ge=1, le=MAX_TOKENS)
    max_length: int = Field(ge=1, le=MAX_TOKENS)


class GoldenOutput(_Part):
    """Record what PyTorch translated greedily, with the weights of one precision."""

    ids: tuple[int, ...]
    text: str


class Golden(_Part):
    """Pin one translation that every load must reproduce."""

    source: str
    source_ids: tuple[int, ...] = Field(min_length=1)
    outputs: dict[str, GoldenOutput]  # by precision
    margin: float  # least gap of log-probability between the best two words of any step


class Score(_Part):
    """Record a measured quality."""

    metric: str
    value: float
    dataset: str
    signature: str = ""


class Manifest(_Part):
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
        _refuse_twice([tensor.name for tensor in (*self.state, *self.memory, *self.tables)], "tensor")
        for graph in self.graphs:
            expected = self._signature(graph.role)
            if expected is None:
                continue
            for kind, wanted, found in zip(("inputs", "outputs"), expected, (graph.inputs, graph.outputs), strict=True):
                names = {tensor.name for tensor in found}
                if kind == "inputs":
                    names -= {tensor.name for tensor in self.tables}  # whichever it reads
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
        """See that what passes from graph to graph is as wide in each of them."""
        sizes = {tensor.name: tensor.features for tensor in (*self.state, *self.memory)}
        for tensor in (*graph.inputs, *graph.outputs):
            expected = sizes.get(tensor.name.removeprefix("next_"), tensor.features)
            if tensor.features != expected:
                raise ValueError(
                    f"graph {graph.name!r}: {tensor.name} has shape {tensor.shape}, the manifest says {expected}"
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
            wanted = CHOICES.get(name, kind)
            if kind != wanted or (name in CHOICES and shape != ("B", "W")):
                raise ValueError(f"graph {graph.name!r}: {name} is {kind} {shape}, {wanted} (B, W) expected")

    def _signature(self, role: str) -> tuple[set[str], set[str]] | None:
        state, memory = {t.name for t in self.state}, {t.name for t in self.memory}
        if role == "tables":
            return {"piece_ids"}, {tensor.name for tensor in self.tables}
        if role in ("encoder", "encoder_sequence"):
            return {"source_ids", "source_lengths"}, state | memory
        inputs = {"previous_ids", "parents", "source_lengths"} | state | memory
        following = {f"next_{name}" for name in state} | ({"alignment"} if self.has_attention else set())
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


class Bundle(BaseModel):
    """Hold a bundle whose files are all there, of the right size and content."""

    model_config = ConfigDict(frozen=True)

    path: Path
    version: int
    manifest: Manifest

    def file(self, name: str) -> Path:
        """Return the path of a listed file."""
        return self.path / name


def read_bundle(path: Path) -> Bundle:
    """Read and verify the bundle in REPOSITORY/NAME/VERSION.

    Raises:
        BundleError: a file is missing, unlisted or differs from the manifest, or the manifest is not one we can serve.
    """
    if not VERSION.fullmatch(path.name):
        raise BundleError(path, "the folder's name is the version and must be a number from 1 up")
    manifest = _read_manifest(path / MANIFEST)
    try:
        found = {entry.name for entry in path.iterdir()}
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})") from error
    for name in sorted(found - manifest.files.keys() - {MANIFEST}):
        raise BundleError(path / name, "is not listed in the manifest: delete it, or copy the bundle again")
    sizes = [_size(path / name) for name in manifest.files]
    for (name, pinned), size in zip(manifest.files.items(), sizes, strict=True):
        if size != pinned.bytes:
            why = f"has {size} bytes, the manifest says {pinned.bytes}: copy the bundle again"
            raise BundleError(path / name, why)
    for name, pinned in manifest.files.items():
        _verify(path / name, pinned)
    return Bundle(path=path, version=int(path.name), manifest=manifest)


def _read_manifest(path: Path) -> Manifest:
    size = _size(path)
    if size > MAX_MANIFEST:
        raise BundleError(path, f"is not a manifest: has {size} bytes, at most {MAX_MANIFEST}")
    try:
        text = path.read_bytes()
        header = _Header.model_validate_json(text, strict=True)
        json.loads(text, object_pairs_hook=_unique)
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise BundleError(path, f"is not a manifest: {_explain(error)}") from error
    except ValueError as error:
        raise BundleError(path, f"is not a manifest: {error}") from error
    if header.format_version != FORMAT_VERSION:
        advice = f"export the model again (python -m export RUN {path.parent.parent}), or update the server"
        found = header.format_version
        raise BundleError(path, f"has format version {found}; this server reads {FORMAT_VERSION}: {advice}")
    try:
        return Manifest.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise BundleError(path, _explain(error)) from error


class _Header(_Part):
    format_version: int


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what two readers would understand differently."""
    _refuse_twice([name for name, _ in pairs], "key")
    return dict(pairs)


def _refuse_twice(names: Sequence[str], kind: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{kind} {quoted(twice[0])} is there twice")


def _explain(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'manifest'}: {e['msg']}"[:SAID] for e in error.errors()[:5])


def _size(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(found.st_mode):  # a link may lead anywhere, a pipe never ends
        raise BundleError(path, "is not a regular file: copy the file itself into the bundle")
    return found.st_size


def _verify(path: Path, pinned: File) -> None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})") from error
    if digest != pinned.sha256:
        raise BundleError(path, f"has SHA-256 {digest}, the manifest says {pinned.sha256}: copy the bundle again")
