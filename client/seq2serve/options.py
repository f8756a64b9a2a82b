"""The options of a call, by the names of the protocol's fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypedDict


class GlossaryTerm(NamedTuple):
    """A source term and the translation to use for it.

    `case_sensitive` False also matches the source in other case; None leaves it to the server, which
    matches the case.
    """

    source: str
    target: str
    case_sensitive: bool | None = None


class ScoreOptions(TypedDict, total=False):
    """What `score` takes besides source and target; all optional, `None` is not set.

    The names, ranges and defaults are those of `ScoreRequest` and its parts in `proto/seq2serve/v1`.
    """

    # The call.
    model: str | None  # NAME, NAME:VERSION or NAME:ALIAS; else the server chooses
    source_language: str | None  # BCP-47 tag; else the model's
    target_language: str | None  # BCP-47 tag; else the model's
    request_id: str | None
    priority: int | None

    # How the source is read.
    truncate: bool | None

    # What is returned besides the scores.
    token_scores: bool | None
    tokens: bool | None
    alignment: Literal["none", "hard", "soft_sparse"] | None
    alignment_unit: Literal["word", "piece"] | None
    alignment_min_weight: float | None
    timing: bool | None


class TranslateOptions(ScoreOptions, total=False):
    """What a translation takes besides its text; all optional, `None` is not set.

    The names, ranges and defaults are those of `InputOptions`, `DecodeOptions`, `OutputOptions` and
    `TranslateRequest` in `proto/seq2serve/v1`; `Client.model(name).default_options` shows a model's
    own defaults. What `ScoreOptions` has is taken here too.
    """

    # How every hypothesis starts; one of the two.
    target_prefix: str | None
    target_prefix_tokens: Sequence[str] | None
    prefix_bias: float | None

    # Terms whose translation is given: source → target, or GlossaryTerms.
    glossary: Mapping[str, str] | Iterable[GlossaryTerm | tuple[str, str]] | None

    # How the source is read.
    split_sentences: bool | None
    transfer_tags: bool | None
    transfer_urls: bool | None
    transfer_emails: bool | None
    transfer_numbers: bool | None
    transfer_placeholders: bool | None

    # How the target is searched for.
    beam_size: int | None
    num_hypotheses: int | None
    patience: float | None
    length_penalty: float | None
    coverage_penalty: float | None
    repetition_penalty: float | None
    no_repeat_ngram_size: int | None
    repetition_guard: bool | None
    min_length: int | None
    max_length: int | None
    max_length_ratio: float | None
    max_length_offset: int | None
    disable_unknown: bool | None
    replace_unknowns: bool | None
    suppress_sequences: Sequence[Sequence[str]] | None
    end_tokens: Sequence[str] | None
    top_k: int | None
    top_p: float | None
    temperature: float | None
    seed: int | None
    use_shortlist: bool | None
    return_alternatives: bool | None
    min_alternative_probability: float | None

    # What is returned besides the text.
    scores: bool | None
    stream_flush_tokens: int | None
