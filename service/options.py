"""How one request is searched for: validated, in piece ids, and free of protobuf."""

from dataclasses import dataclass

Ids = tuple[int, ...]
LENGTH_PENALTY = 1.0  # of users who set none


@dataclass(frozen=True, slots=True)
class Sampling:
    """Draw pieces at random instead of taking the best."""

    temperature: float = 1.0
    top_k: int = 0  # 0: the whole vocabulary
    top_p: float = 1.0
    seed: int = 0  # unsigned, 64 bits


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Hold the options of one request; the defaults are plain greedy search.

    proto/seq2serve/v1/options.proto says what each means; service/search/ says how it is done.
    """

    max_length: int  # target pieces, the end symbol not counted
    min_length: int = 0
    beam_size: int = 1
    num_hypotheses: int = 1
    patience: float = 1.0
    length_penalty: float = LENGTH_PENALTY
    coverage_penalty: float = 0.0
    sampling: Sampling | None = None
    alternatives: bool = False
    min_alternative_probability: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    repetition_guard: bool = False
    disable_unknown: bool = False
    suppressed: tuple[Ids, ...] = ()  # sequences, none of them empty
    end_ids: Ids = ()  # that end a hypothesis besides eos
    prefix: Ids = ()
    prefix_bias: float = 0.0  # 0 forces the prefix
    alignment: bool = False  # keep the attention weights of the hypotheses
    scored: bool = True  # log-probabilities are wanted

    @property
    def width(self) -> int:
        """Return W, the hypotheses that are stepped together."""
        return max(self.beam_size, self.num_hypotheses)

    @property
    def has_least_length(self) -> bool:
        """Tell whether a target cannot end before so many pieces, wherever the model would end it."""
        return bool(self.prefix or self.min_length)

    @property
    def keeps_attention(self) -> bool:
        """Tell whether the attention weights of every step are needed."""
        return self.alignment or self.coverage_penalty > 0

    @property
    def whole_distribution(self) -> bool:
        """Tell whether the best few pieces of every step are not enough to decide on."""
        return bool(
            self.sampling
            or self.alternatives
            or self.min_length
            or self.repetition_penalty != 1
            or self.no_repeat_ngram_size
            or self.disable_unknown
            or self.suppressed
            or self.end_ids
            or self.prefix
        )
