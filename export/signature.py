"""The tensors of every graph: what the manifest declares, the export traces and the parity check feeds."""

from dataclasses import dataclass

from export.ahead import IDS, LOGITS, STEPS
from export.graphs import adds_embeddings
from export.sequence import computes
from models.seq2seq import Seq2Seq
from service.parts import FP16, FP32, GREEDY_ROLES, Tensor

Tensors = tuple[Tensor, ...]
GREEDY, BEAM = "greedy", "beam"  # what is traced: all graphs for greedy search in one, all others in another


@dataclass(frozen=True)
class Signature:
    """List the tensors of a model's graphs, in order."""

    state: Tensors  # (B, W, *)
    memory: Tensors  # (B, S, *), or (B, *)
    tables: Tensors  # (V, *); the last one is the decoder's, the others are the encoder's
    candidates: int
    vocabulary: int
    aligns: bool  # steps give attention weights
    sequence: bool  # ONNX's recurrent operators compute the encoder

    @classmethod
    def of(cls, model: Seq2Seq, candidates: int) -> "Signature":
        """Derive the tensors from a model's sizes."""
        sizes, decoder = model.config, model.decoder
        axes = ("B", "S") if sizes.has_attention else ("B",)
        gates, vocabulary = decoder.cell.gates, model.output.out_features
        directions = ("source_backward" if backward else "source_forward" for backward in model.encoder.backward)
        tables = dict.fromkeys(directions, gates * sizes.encoder_hidden_size)
        if adds_embeddings(model):
            tables["source_embedded"] = sizes.embedding_size
        tables["target"] = gates * sizes.decoder_hidden_size + decoder.readout_size * sizes.readout_word
        return cls(
            state=tuple(_floats(name, "B", "W", size) for name, size in decoder.state_sizes.items()),
            memory=tuple(_floats(name, *axes, size) for name, size in decoder.memory_sizes.items()),
            tables=tuple(_floats(f"{name}_table", vocabulary, size) for name, size in tables.items()),
            candidates=candidates,
            vocabulary=vocabulary,
            aligns=sizes.has_attention,
            sequence=computes(model),
        )

    def inputs(self, role: str, precision: str = FP32) -> Tensors:
        """List what a graph reads."""
        lengths = _ids("source_lengths", "B")
        if role == "tables":
            return (_ids("piece_ids", "B"),)
        if role in ("encoder", "encoder_sequence"):
            tables = self.tables[:-1] if role == "encoder" else ()
            return _ids("source_ids", "B", "S"), lengths, *_in(precision, tables)
        parents = () if role in (GREEDY, *GREEDY_ROLES) else (_ids("parents", "B", "W"),)
        words = _ids("previous_ids", "B", "W"), *parents, lengths
        totals = (_doubles("totals", "B", "W"),) if role in ("step_beam", BEAM) else ()
        steps = (_ids(STEPS),) if role == "step_ahead" else ()
        return *words, *totals, *steps, *_in(precision, (self.tables[-1], *self.memory, *self.state))

    def outputs(self, role: str, precision: str = FP32) -> Tensors:
        """List what a graph gives.

        What is chosen or reported is of the same type in every precision: only states and memory are in fp16.
        """
        if role == "tables":
            return tuple(_floats(t.name, "B", t.shape[1]) for t in self.tables)
        if role in ("encoder", "encoder_sequence"):
            state = tuple(_floats(t.name, "B", *t.shape[2:]) for t in self.state)
            return _in(precision, (*self.memory, *state))
        following = tuple(_floats(f"next_{t.name}", *t.shape) for t in self.state)
        if role == "step_ahead":
            return _ids(IDS, "N", "B", "W"), _floats(LOGITS, "N", "B", "W"), *_in(precision, following)
        alignment = (_floats("alignment", "B", "W", "S"),) if self.aligns else ()
        return *self._choices(role), *alignment, *_in(precision, following)

    def _choices(self, role: str) -> Tensors:
        best = (
            _ids("candidate_ids", "B", "W", self.candidates),
            _floats("candidate_log_probabilities", "B", "W", self.candidates),
        )
        every = (_floats("log_probabilities", "B", "W", self.vocabulary),)
        logits = (_floats("logits", "B", "W", self.vocabulary),)
        ids = (_ids("next_ids", "B", "W"),)
        beam = *ids, _ids("next_parents", "B", "W"), _doubles("next_totals", "B", "W")
        return {
            "step": best,
            "step_full": every,
            "step_greedy": logits,
            "step_select": ids,
            "step_beam": (*best, *beam),
            GREEDY: (*logits, *ids),
            BEAM: (*best, *every, *beam),
        }[role]


def _ids(name: str, *shape: int | str) -> Tensor:
    return Tensor.model_validate({"name": name, "type": "int64", "shape": shape})


def _floats(name: str, *shape: int | str) -> Tensor:
    return Tensor.model_validate({"name": name, "type": "float32", "shape": shape})


def _doubles(name: str, *shape: int | str) -> Tensor:
    return Tensor.model_validate({"name": name, "type": "float64", "shape": shape})


def _in(precision: str, tensors: Tensors) -> Tensors:
    """Type tensors that pass between graphs of a precision."""
    return tuple(t.model_copy(update={"type": "float16"}) for t in tensors) if precision == FP16 else tensors
