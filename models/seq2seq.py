"""Encoder, decoder and embeddings as one model: p(target | source)."""

from torch import Tensor, nn
from torch.nn.functional import dropout

from models.attention import Memory
from models.cells import State
from models.config import ModelConfig
from models.decoder import Decoder
from models.encoder import Encoder
from models.loss import smoothed_cross_entropy


class Seq2Seq(nn.Module):
    """Translate with a recurrent encoder and decoder (Cho et al., Sutskever et al. 2014; Bahdanau et al. 2015)."""

    def __init__(self, config: ModelConfig, vocabulary_size: int, pad_id: int) -> None:
        super().__init__()
        self.config = config
        self.pad_id = pad_id
        size = config.embedding_size
        self.source_embedding = nn.Embedding(vocabulary_size, size, padding_idx=pad_id)
        nn.init.normal_(self.source_embedding.weight, std=size**-0.5)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config, self.encoder.memory_size)
        if config.tie_embeddings:
            self.target_embedding = self.source_embedding
        else:
            self.target_embedding = nn.Embedding(vocabulary_size, size, padding_idx=pad_id)
            nn.init.normal_(self.target_embedding.weight, std=size**-0.5)
        self.output = nn.Linear(self.decoder.readout_size, vocabulary_size)
        nn.init.zeros_(self.output.bias)
        if config.tie_output:  # input and output embeddings (Press & Wolf 2017)
            self.output.weight = self.target_embedding.weight
        self.embedding_dropout = nn.Dropout(config.embedding_dropout)
        self.memory_dropout = nn.Dropout(config.memory_dropout)
        self.readout_dropout = nn.Dropout(config.readout_dropout)

    @property
    def embedding_scale(self) -> float:
        """Undo the small variance that the output layer wants of a shared matrix (Vaswani et al. 2017, 3.4)."""
        return float(self.config.embedding_size**0.5)

    def embed(self, table: nn.Embedding, ids: Tensor) -> Tensor:
        """Look ids (...) up; gives (..., E)."""
        embedded: Tensor = self.embedding_dropout(table(ids) * self.embedding_scale)
        if self.training and self.config.word_dropout:
            embedded = embedded * dropout(embedded.new_ones(*ids.shape, 1), self.config.word_dropout)
        return embedded

    def encode(self, source_ids: Tensor, lengths: Tensor) -> tuple[Memory, State]:
        """Read sentences (B, S) of `lengths` (B,); gives the memory and the decoder's first state, W = 1."""
        values, states = self.encoder(self.embed(self.source_embedding, source_ids), lengths)
        last = states[-len(self.decoder.cell.state_names)]  # outputs of the top layer
        memory = self.decoder.remember(self.memory_dropout(values), last, lengths)
        return memory, self.decoder.initial_state(values, states, lengths)

    def look_up(self, previous_ids: Tensor) -> tuple[Tensor, Tensor | None]:
        """Read words (B, W): what the decoder's cell takes of them (B, W, gates * H), and its readout (B, W, R)."""
        found: tuple[Tensor, Tensor | None] = self.decoder.look_up(self.embed(self.target_embedding, previous_ids))
        return found

    def advance(
        self, projected: Tensor, read: Tensor | None, state: State, memory: Memory
    ) -> tuple[Tensor, State, Tensor | None]:
        """Step from what `look_up` gave; gives what `step` does."""
        state, context, weights = self.decoder.step(projected, read, state, memory)
        if self.config.input_feeding:
            readout = state[-1]
        else:
            readout = self.decoder.readout(self.decoder.output(state), read, context)
        return self.output(self.readout_dropout(readout)), state, weights

    def step(self, previous_ids: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Tensor | None]:
        """Score the word after `previous_ids` (B, W).

        Gives logits (B, W, V), the next state, and the weights (B, W, S) where the model has attention.
        """
        return self.advance(*self.look_up(previous_ids), state, memory)

    def forward(self, source_ids: Tensor, lengths: Tensor, previous_ids: Tensor) -> Tensor:
        """Read given targets: `previous_ids` (B, T) starts with bos; gives what the output layer takes, (B, T, R).

        Goes through the recurrence of `step`; what needs no state is done for all T words in one product.
        """
        memory, state = self.encode(source_ids, lengths)
        readout = self.decoder(self.embed(self.target_embedding, previous_ids), state, memory)
        dropped: Tensor = self.readout_dropout(readout)
        return dropped

    def loss(
        self, source_ids: Tensor, lengths: Tensor, target_ids: Tensor, smoothing: float, consistency: float = 0.0
    ) -> Tensor:
        """Sum the label-smoothed cross-entropy (nats) of targets (B, T + 1), which start with bos and end with eos.

        With `consistency` all are read twice, with other dropout, and both readings are held together by that weight.
        """
        wanted, real = target_ids[:, 1:], target_ids[:, 1:] != self.pad_id
        if not consistency:
            read = self(source_ids, lengths, target_ids[:, :-1])[real]
        else:
            twice = (source_ids.repeat(2, 1), lengths.repeat(2), target_ids[:, :-1].repeat(2, 1))
            read = self(*twice).unflatten(0, (2, -1))[:, real]
        return smoothed_cross_entropy(read, self.output.weight, self.output.bias, wanted[real], smoothing, consistency)
