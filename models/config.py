"""What a recipe may say: the model, the data and the training, validated before any work starts."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator


class RecipeError(Exception):
    """Say what a recipe has wrong, and where."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(_Section):
    """Describe the architecture; sizes are numbers of units."""

    cell: Literal["rnn", "gru", "lstm"] = "gru"
    embedding_size: int = Field(256, ge=1)
    encoder_hidden_size: int = Field(256, ge=1)  # of one direction
    encoder_layers: int = Field(1, ge=1)
    bidirectional: bool = True
    decoder_hidden_size: int = Field(512, ge=1)
    decoder_layers: int = Field(1, ge=1)
    # false: Bahdanau's decoder, the query is s_{i-1}. true: the conditional recurrence of Nematus, whose query has
    # already read y_{i-1}; it costs one more cell a step and learns faster.
    conditional: bool = False
    residual: bool = False  # add a stacked layer's input to its output where the sizes agree
    attention: Literal["additive"] = "additive"
    attention_size: int = Field(256, ge=1)
    tie_embeddings: bool = True  # one matrix for source, target and output (needs one joint vocabulary)
    embedding_dropout: float = Field(0.2, ge=0, lt=1)
    memory_dropout: float = Field(0.2, ge=0, lt=1)
    readout_dropout: float = Field(0.2, ge=0, lt=1)


class TextFile(_Section):
    """Name one parallel text below the data root.

    `path` ends in .tsv (tab-separated, with the given columns) or is the common beginning of two line-parallel files
    `path.<source language>.txt` and `path.<target language>.txt`.
    """

    path: str = Field(min_length=1)
    columns: tuple[str, ...] = ("source", "target")  # of a .tsv; the ones not called source or target are ignored

    @model_validator(mode="after")
    def _has_both_sides(self) -> "TextFile":
        for side in ("source", "target"):
            if self.columns.count(side) != 1:
                raise ValueError(f"columns {list(self.columns)} must name {side!r} exactly once")
        return self


def _path_alone(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


TextEntry = Annotated[TextFile, BeforeValidator(_path_alone)]  # a recipe may give the path alone


class DataConfig(_Section):
    """Name the languages and texts; lengths are in SentencePiece pieces."""

    source_language: str = Field(min_length=2)  # BCP-47
    target_language: str = Field(min_length=2)
    train: tuple[TextEntry, ...] = Field(min_length=1)
    valid: tuple[TextEntry, ...] = Field(min_length=1)
    vocabulary_size: int = Field(8000, ge=16)
    max_pieces: int = Field(100, ge=1)  # longer training pairs are left out, and counted in the log
    concatenate: float = Field(0.0, ge=0, le=1)  # share of pairs joined with others, so that long inputs are seen
    licence: str = ""  # what may be done with the text; goes into the bundle's manifest
    # Sentences of your own in the source language. The export keeps the clear-cut ones, and every server that loads
    # the model must translate them exactly as PyTorch did.
    golden: tuple[str, ...] = Field(min_length=1)


class TrainingConfig(_Section):
    """Set how the model learns; one update is one optimizer step."""

    seed: int = Field(1, ge=0, lt=2**63)
    max_updates: int = Field(20_000, ge=1)
    batch_tokens: int = Field(3000, ge=1)  # padded target pieces of one batch
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False)
    warmup_updates: int = Field(400, ge=0)  # linear, from zero
    # cosine: down to zero at max_updates. plateau: halved when the validation BLEU has not risen for plateau_patience.
    schedule: Literal["cosine", "plateau"] = "cosine"
    plateau_patience: int = Field(2, ge=1)  # validations
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    clip_norm: float = Field(1.0, gt=0)
    validate_every: int = Field(500, ge=1)  # updates; a checkpoint is written each time
    valid_sentences: int = Field(1000, ge=1)  # the first ones of the valid files
    patience: int = Field(10, ge=1)  # validations without a better BLEU before training stops
    average: int = Field(5, ge=1)  # best checkpoints to keep, and to average at the end
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 on a GPU, fp32 on a CPU


class Recipe(_Section):
    """Hold everything that decides a training run."""

    model: ModelConfig
    data: DataConfig
    training: TrainingConfig

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Read a TOML recipe.

        Raises:
            RecipeError: the file cannot be read, is not TOML, or a value is out of range.
        """
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise RecipeError(f"cannot read the recipe {path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RecipeError(f"{path} is not TOML: {error}") from error
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise RecipeError(f"{path}: {faults}") from error
