"""The tensors of every graph: what the manifest declares, the export traces and the parity check feeds."""

from dataclasses import dataclass

from models.seq2seq import Seq2Seq
from service.bundle import Tensor

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class Signature:
    """List the tensors of a model's graphs, in order."""

    state: Tensors  # (B, W, H)
    memory: Tensors  # (B, S, *)
    candidates: int
    vocabulary: int

    @classmethod
    def of(cls, model: Seq2Seq, candidates: int) -> "Signature":
        """Derive the tensors from a model's sizes."""
        sizes = model.config
        memory = {"keys": sizes.attention_size, "values": model.encoder.memory_size}
        return cls(
            state=tuple(_floats(name, "B", "W", sizes.decoder_hidden_size) for name in model.decoder.state_names),
            memory=tuple(_floats(name, "B", "S", size) for name, size in memory.items()),
            candidates=candidates,
            vocabulary=model.output.out_features,
        )

    def inputs(self, role: str) -> Tensors:
        """List what a graph reads."""
        lengths = _ids("source_lengths", "B")
        if role == "encoder":
            return _ids("source_ids", "B", "S"), lengths
        return _ids("previous_ids", "B", "W"), _ids("parents", "B", "W"), lengths, *self.memory, *self.state

    def outputs(self, role: str) -> Tensors:
        """List what a graph gives."""
        if role == "encoder":
            return *self.memory, *(_floats(t.name, "B", *t.shape[2:]) for t in self.state)
        following = (_floats(f"next_{t.name}", *t.shape) for t in self.state)
        return *self._scores(role), _floats("alignment", "B", "W", "S"), *following

    def _scores(self, role: str) -> Tensors:
        best = (
            _ids("candidate_ids", "B", "W", self.candidates),
            _floats("candidate_log_probabilities", "B", "W", self.candidates),
        )
        every = (_floats("log_probabilities", "B", "W", self.vocabulary),)
        return {"step": best, "step_full": every, "traced": best + every}[role]


def _ids(name: str, *shape: int | str) -> Tensor:
    return Tensor.model_validate({"name": name, "type": "int64", "shape": shape})


def _floats(name: str, *shape: int | str) -> Tensor:
    return Tensor.model_validate({"name": name, "type": "float32", "shape": shape})
