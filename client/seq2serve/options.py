"""The options of a translation, by the names of the protocol's fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict


class TranslateOptions(TypedDict, total=False):
    """What `translate` takes besides text, model and languages; all optional, `None` is not set.

    The names, ranges and defaults are those of `InputOptions`, `DecodeOptions`, `OutputOptions` and
    `TranslateRequest` in `proto/seq2serve/v1`; `Client.model(name).default_options` shows a model's
    own defaults.
    """

    # The request itself.
    request_id: str | None
    priority: int | None
    target_prefix: str | None
    prefix_bias: float | None
    glossary: Mapping[str, str] | None  # source term → target term

    # How the source is read.
    truncate: bool | None
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
    token_scores: bool | None
    tokens: bool | None
    alignment: Literal["none", "hard", "soft_sparse"] | None
    alignment_unit: Literal["word", "piece"] | None
    alignment_min_weight: float | None
    timing: bool | None
    stream_flush_tokens: int | None
