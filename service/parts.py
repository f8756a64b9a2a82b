"""What a manifest says of each thing in a bundle; numbers are bounded before anything is allocated by them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

REQUIRED_ROLES = ("encoder", "step", "step_full")
OPTIONAL_ROLES = ("tables", "step_greedy", "step_ahead", "step_select", "step_beam", "encoder_sequence")
GREEDY_ROLES = ("step_greedy", "step_ahead", "step_select")  # each hypothesis goes on from itself
FP32, FP16, INT8 = "fp32", "fp16", "int8"  # precisions of graphs
NO_ATTENTION = "none"
# Far above what any model of ours needs, and no more than a machine can bear.
MAX_FILE = 8 << 30  # bytes
MAX_PIECES = 1 << 20  # of the vocabulary
MAX_TOKENS = 1 << 16  # of a source or a target
Size = Annotated[int, Field(ge=1, le=MAX_PIECES)]


class Part(BaseModel):
    """Describe something."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # a newer minor writer may add what we do not know


class SpecialIds(Part):
    """Number the pieces with a meaning of their own."""

    pad: int = Field(ge=0)
    unk: int = Field(ge=0)
    bos: int = Field(ge=0)
    eos: int = Field(ge=0)


class Vocabulary(Part):
    """Name the SentencePiece model of both languages."""

    file: str
    size: int = Field(ge=4, le=MAX_PIECES)


class Tensor(Part):
    """Describe one tensor of a graph; letters are dynamic axes, numbers are fixed."""

    name: str
    type: Literal["float64", "float32", "float16", "int64"]
    shape: tuple[Size | Literal["B", "S", "W", "C", "V", "N"], ...]

    @property
    def features(self) -> tuple[int, ...]:
        """Return the fixed sizes behind the dynamic axes."""
        return tuple(size for size in self.shape if isinstance(size, int))


class Graph(Part):
    """Describe one ONNX graph; a reader ignores roles that it does not know."""

    name: str
    role: str
    precision: str
    file: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class File(Part):
    """Pin the content of one file."""

    bytes: int = Field(ge=0, le=MAX_FILE)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Architecture(Part):
    """Say what kind of model this is; for people, never for the engine.

    But where `attention` is none, steps give no alignment.
    """

    cell: str
    attention: str
    parameters: int = Field(ge=0, lt=1 << 63)
    summary: str = ""
    options: dict[str, bool | int | float | str] = {}  # of the recipe, from which an export builds it again


class Limits(Part):
    """Bound what a request may ask of the model, in pieces without bos and eos."""

    max_source_tokens: int = Field(ge=1, le=MAX_TOKENS)
    max_length: int = Field(ge=1, le=MAX_TOKENS)


class GoldenOutput(Part):
    """Record what PyTorch translated greedily, with the weights of one precision."""

    ids: tuple[int, ...]
    text: str


class Golden(Part):
    """Pin one translation that every load must reproduce."""

    source: str
    source_ids: tuple[int, ...] = Field(min_length=1)
    outputs: dict[str, GoldenOutput]  # by precision
    margin: float  # least gap of log-probability between the best two words of any step


class Score(Part):
    """Record a measured quality."""

    metric: str
    value: float
    dataset: str
    signature: str = ""
