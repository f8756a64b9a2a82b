"""The disk contract between what builds models and what serves them.

REPOSITORY/NAME/VERSION/manifest.json names every other file of the folder with its size and SHA-256, so nothing
unlisted, truncated or altered is ever loaded.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.errors import BundleError

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
REQUIRED_ROLES = ("encoder", "step", "step_full")
OPTIONAL_ROLES = ("tables", "step_greedy")
FP32, INT8 = "fp32", "int8"  # precisions of graphs


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
    size: int = Field(ge=4)


class Tensor(_Part):
    """Describe one tensor of a graph; letters are dynamic axes, numbers are fixed."""

    name: str
    type: Literal["float32", "float16", "int64"]
    shape: tuple[int | Literal["B", "S", "W", "C", "V"], ...]

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

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Architecture(_Part):
    """Say what kind of model this is; for people, never for the engine."""

    cell: str
    attention: str
    parameters: int
    summary: str = ""


class Limits(_Part):
    """Bound what a request may ask of the model, in pieces without bos and eos."""

    max_source_tokens: int = Field(ge=1)
    max_length: int = Field(ge=1)


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
    candidates: int = Field(ge=1)  # C of `step`
    state: tuple[Tensor, ...] = Field(min_length=1)  # of one hypothesis: (B, W, *)
    memory: tuple[Tensor, ...]  # of one sentence: (B, S, *)
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
                raise ValueError(f"{name!r} is used but not listed under files")
        for name in self.files:
            if Path(name).name != name or name in ("", ".", "..", MANIFEST):
                raise ValueError(f"{name!r} is not a plain file name inside the bundle")
        for tensor in self.state:
            if tensor.shape[:2] != ("B", "W") or not all(isinstance(n, int) for n in tensor.shape[2:]):
                raise ValueError(f"state tensor {tensor.name!r} has shape {tensor.shape}, (B, W, numbers) expected")
        for tensor in self.memory:
            if tensor.shape[:2] != ("B", "S") or not all(isinstance(n, int) for n in tensor.shape[2:]):
                raise ValueError(f"memory tensor {tensor.name!r} has shape {tensor.shape}, (B, S, numbers) expected")
        for tensor in self.tables:
            if len(tensor.shape) != 2 or tensor.shape[0] != self.vocabulary.size or len(tensor.features) != 2:
                raise ValueError(
                    f"table {tensor.name!r} has shape {tensor.shape}, ({self.vocabulary.size}, *) expected"
                )
        if self.tables and "tables" not in roles:
            raise ValueError("there are tables, but no graph has the role 'tables'")
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
        return self

    def _signature(self, role: str) -> tuple[set[str], set[str]] | None:
        state, memory = {t.name for t in self.state}, {t.name for t in self.memory}
        if role == "tables":
            return {"piece_ids"}, {tensor.name for tensor in self.tables}
        if role == "encoder":
            return {"source_ids", "source_lengths"}, state | memory
        inputs = {"previous_ids", "parents", "source_lengths"} | state | memory
        following = {f"next_{name}" for name in state} | {"alignment"}
        if role == "step":
            return inputs, following | {"candidate_ids", "candidate_log_probabilities"}
        if role == "step_full":
            return inputs, following | {"log_probabilities"}
        if role == "step_greedy":
            return inputs, following | {"logits"}
        return None

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
        BundleError: a file is missing or differs from the manifest, or the manifest is not one we can serve.
    """
    if not path.name.isdecimal() or int(path.name) < 1:
        raise BundleError(path, "the folder's name is the version and must be a number from 1 up")
    file = path / MANIFEST
    try:
        text = file.read_bytes()
    except OSError as error:
        raise BundleError(file, f"cannot be read ({error.strerror})") from error
    try:
        found = _Header.model_validate_json(text).format_version
    except ValidationError as error:
        raise BundleError(file, f"is not a manifest: {_explain(error)}") from error
    if found != FORMAT_VERSION:
        advice = "export the model again, or update the server"
        raise BundleError(file, f"has format version {found}; this server reads {FORMAT_VERSION}: {advice}")
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BundleError(file, _explain(error)) from error
    for name, pinned in manifest.files.items():
        _verify(path / name, pinned)
    return Bundle(path=path, version=int(path.name), manifest=manifest)


class _Header(_Part):
    format_version: int


def _explain(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'manifest'}: {e['msg']}" for e in error.errors()[:5])


def _verify(path: Path, pinned: File) -> None:
    try:
        size = path.stat().st_size
        if size != pinned.bytes:
            raise BundleError(path, f"has {size} bytes, the manifest says {pinned.bytes}: copy the bundle again")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})") from error
    if digest != pinned.sha256:
        raise BundleError(path, f"has SHA-256 {digest}, the manifest says {pinned.sha256}: copy the bundle again")
