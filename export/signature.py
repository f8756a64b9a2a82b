"""The tensors of every graph: what the manifest declares, the export traces and the parity check feeds."""

from dataclasses import dataclass

from export.graphs import adds_embeddings
from models.seq2seq import Seq2Seq
from service.bundle import Tensor

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class Signature:
    """List the tensors of a model's graphs, in order."""

    state: Tensors  # (B, W, H)
    memory: Tensors  # (B, S, *)
    tables: Tensors  # (V, *); the last one is the decoder's, the others are the encoder's
    candidates: int
    vocabulary: int

    @classmethod
    def of(cls, model: Seq2Seq, candidates: int) -> "Signature":
        """Derive the tensors from a model's sizes."""
        sizes = model.config
        memory = {"keys": sizes.attention_size, "values": model.encoder.memory_size}
        gates, vocabulary = model.decoder.cell.gates, model.output.out_features
        directions = ("source_forward", "source_backward")[: 1 + sizes.bidirectional]
        tables = dict.fromkeys(directions, gates * sizes.encoder_hidden_size)
        if adds_embeddings(model):
            tables["source_embedded"] = sizes.embedding_size
        tables["target"] = gates * sizes.decoder_hidden_size + sizes.embedding_size
        return cls(
            state=tuple(_floats(name, "B", "W", sizes.decoder_hidden_size) for name in model.decoder.state_names),
            memory=tuple(_floats(name, "B", "S", size) for name, size in memory.items()),
            tables=tuple(_floats(f"{name}_table", vocabulary, size) for name, size in tables.items()),
            candidates=candidates,
            vocabulary=vocabulary,
        )

    def inputs(self, role: str) -> Tensors:
        """List what a graph reads."""
        lengths = _ids("source_lengths", "B")
        if role == "tables":
            return (_ids("piece_ids", "B"),)
        if role == "encoder":
            return _ids("source_ids", "B", "S"), lengths, *self.tables[:-1]
        words = _ids("previous_ids", "B", "W"), _ids("parents", "B", "W"), lengths
        return *words, self.tables[-1], *self.memory, *self.state

    def outputs(self, role: str) -> Tensors:
        """List what a graph gives; `traced` stands for all decoder graphs in one."""
        if role == "tables":
            return tuple(_floats(t.name, "B", t.shape[1]) for t in self.tables)
        if role == "encoder":
            return *self.memory, *(_floats(t.name, "B", *t.shape[2:]) for t in self.state)
        following = (_floats(f"next_{t.name}", *t.shape) for t in self.state)
        return *self._scores(role), _floats("alignment", "B", "W", "S"), *following

    def _scores(self, role: str) -> Tensors:
        best = (
            _ids("candidate_ids", "B", "W", self.candidates),
            _floats("candidate_log_probabilities", "B", "W", self.candidates),
        )
        every = _floats("log_probabilities", "B", "W", self.vocabulary)
        logits = _floats("logits", "B", "W", self.vocabulary)
        found = {"step": best, "step_full": (every,), "step_greedy": (logits,), "traced": (*best, every, logits)}
        return found[role]


def _ids(name: str, *shape: int | str) -> Tensor:
    return Tensor.model_validate({"name": name, "type": "int64", "shape": shape})


def _floats(name: str, *shape: int | str) -> Tensor:
    return Tensor.model_validate({"name": name, "type": "float32", "shape": shape})
