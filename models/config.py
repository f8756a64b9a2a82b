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
    reverse_source: bool = False  # of one direction: read the source from its end (Sutskever et al. 2014, 3.3)
    decoder_hidden_size: int = Field(512, ge=1)
    decoder_layers: int = Field(1, ge=1)
    # What a step sees of the source. fixed-initial: nothing, it only starts the decoder (Sutskever et al. 2014).
    # fixed-every-step: one vector, the same at every step (Cho et al. 2014). The others are energies of attention:
    # additive (Bahdanau et al. 2015), dot, general and concat (Luong et al. 2015), multi-head: several additive ones.
    context: Literal["fixed-initial", "fixed-every-step", "additive", "dot", "general", "concat", "multi-head"] = (
        "additive"
    )
    # When a step attends. before: the query is s_{i-1}, and the cell reads the context (Bahdanau; the default).
    # between: two cells, of which the first has read y_{i-1}; it costs one more cell a step and learns faster
    # (Nematus). after: the query is the top layer's output, and the readout alone sees the context (Luong; the default
    # of his energies).
    attends: Literal["before", "between", "after"] = "before"
    input_feeding: bool = False  # the first cell reads the last step's readout (Luong et al. 2015, 3.3)
    attention_size: int = Field(256, ge=1)  # of additive, concat and multi-head
    heads: int = Field(1, ge=1)  # of multi-head
    # What the decoder starts from: tanh W of the encoder's last outputs, or of the mean annotation; or each layer from
    # the states of the encoder's layer of the same number.
    bridge: Literal["last", "mean", "copy"] = "last"
    residual: bool = False  # add a stacked layer's input to its output where the sizes agree
    layer_norm: bool = False  # normalize the products of the cells (Ba et al. 2016)
    readout_size: int = Field(0, ge=0)  # what the output layer reads; 0: embedding_size
    readout_word: bool = True  # the readout sees y_{i-1}, too
    tie_embeddings: bool = True  # one matrix for source, target and output (needs one joint vocabulary)
    tie_output: bool = True  # one matrix for target and output
    source_end: bool = False  # the source ends with eos
    embedding_dropout: float = Field(0.2, ge=0, lt=1)
    word_dropout: float = Field(0.0, ge=0, lt=1)  # of whole words, on both sides (Gal & Ghahramani 2016)
    memory_dropout: float = Field(0.2, ge=0, lt=1)
    readout_dropout: float = Field(0.2, ge=0, lt=1)
    variational_dropout: float = Field(0.0, ge=0, lt=1)  # of states, the same units at every step of a sentence

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        """Take the names of earlier recipes, and Luong's decoder for Luong's energies."""
        if not isinstance(given, dict):
            return given
        found = dict(given)
        if "attention" in found:
            found.setdefault("context", found.pop("attention"))
        if found.pop("conditional", False):
            found.setdefault("attends", "between")
        if found.get("context") in ("dot", "general", "concat"):
            found.setdefault("attends", "after")
        return found

    @model_validator(mode="after")
    def _fits_together(self) -> "ModelConfig":
        memory = self.encoder_hidden_size * (2 if self.bidirectional else 1)
        same = f"(annotations of {memory} units, decoder_hidden_size {self.decoder_hidden_size})"
        faults = {
            "reverse_source needs bidirectional = false": self.reverse_source and self.bidirectional,
            f"attends = {self.attends!r} needs attention, context is {self.context!r}": (
                self.context.startswith("fixed") and self.attends != "before"
            ),
            "input_feeding needs attends = 'after'": self.input_feeding and self.attends != "after",
            f"heads = {self.heads} needs context = 'multi-head'": self.heads > 1 and self.context != "multi-head",
            f"attention_size {self.attention_size} cannot be parted among {self.heads} heads": (
                self.attention_size % self.heads != 0
            ),
            f"context = 'dot' needs annotations as wide as the decoder's states {same}": (
                self.context == "dot" and memory != self.decoder_hidden_size
            ),
            f"bridge = 'copy' needs annotations as wide as the decoder's states {same}": (
                self.bridge == "copy" and memory != self.decoder_hidden_size
            ),
            f"bridge = 'copy' needs equal numbers of layers, not {self.encoder_layers} and {self.decoder_layers}": (
                self.bridge == "copy" and self.encoder_layers != self.decoder_layers
            ),
            "tie_embeddings needs tie_output": self.tie_embeddings and not self.tie_output,
            f"tie_output needs readout_size to be embedding_size, {self.embedding_size}": (
                self.tie_output and self.readout_size not in (0, self.embedding_size)
            ),
        }
        wrong = [fault for fault, found in faults.items() if found]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def has_attention(self) -> bool:
        """Tell whether steps choose what they see of the source."""
        return not self.context.startswith("fixed")


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
    # Subword regularization (Kudo 2018): of how many of a text's best segmentations each epoch draws one, and the power
    # of their probabilities. 1: the best one always, as in serving.
    segmentations: int = Field(1, ge=1, le=1024)
    segmentation_smoothing: float = Field(0.1, ge=0, le=1)
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
    # Read every pair twice, with other dropout, and hold what both readings say together by this weight (alpha of
    # R-Drop, Liang et al. 2021): an update takes twice as long.
    consistency: float = Field(0.0, ge=0, allow_inf_nan=False)
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

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        dropouts = {name: value for name, value in self.model if name.endswith("_dropout")}
        if self.training.consistency and not any(dropouts.values()):
            raise ValueError(
                f"training.consistency = {self.training.consistency} holds readings with other dropout together, but "
                f"{', '.join(dropouts)} are all 0: set one, or leave consistency out"
            )
        return self

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
