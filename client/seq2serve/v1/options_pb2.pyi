from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AlignmentMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALIGNMENT_MODE_UNSPECIFIED: _ClassVar[AlignmentMode]
    ALIGNMENT_MODE_NONE: _ClassVar[AlignmentMode]
    ALIGNMENT_MODE_HARD: _ClassVar[AlignmentMode]
    ALIGNMENT_MODE_SOFT_SPARSE: _ClassVar[AlignmentMode]

class AlignmentUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALIGNMENT_UNIT_UNSPECIFIED: _ClassVar[AlignmentUnit]
    ALIGNMENT_UNIT_WORD: _ClassVar[AlignmentUnit]
    ALIGNMENT_UNIT_PIECE: _ClassVar[AlignmentUnit]
ALIGNMENT_MODE_UNSPECIFIED: AlignmentMode
ALIGNMENT_MODE_NONE: AlignmentMode
ALIGNMENT_MODE_HARD: AlignmentMode
ALIGNMENT_MODE_SOFT_SPARSE: AlignmentMode
ALIGNMENT_UNIT_UNSPECIFIED: AlignmentUnit
ALIGNMENT_UNIT_WORD: AlignmentUnit
ALIGNMENT_UNIT_PIECE: AlignmentUnit

class Tokens(_message.Message):
    __slots__ = ("pieces",)
    PIECES_FIELD_NUMBER: _ClassVar[int]
    pieces: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, pieces: _Optional[_Iterable[str]] = ...) -> None: ...

class InputOptions(_message.Message):
    __slots__ = ("truncate", "split_sentences", "transfer_tags", "transfer_urls", "transfer_emails", "transfer_numbers", "transfer_placeholders")
    TRUNCATE_FIELD_NUMBER: _ClassVar[int]
    SPLIT_SENTENCES_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_TAGS_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_URLS_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_EMAILS_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_PLACEHOLDERS_FIELD_NUMBER: _ClassVar[int]
    truncate: bool
    split_sentences: bool
    transfer_tags: bool
    transfer_urls: bool
    transfer_emails: bool
    transfer_numbers: bool
    transfer_placeholders: bool
    def __init__(self, truncate: bool = ..., split_sentences: bool = ..., transfer_tags: bool = ..., transfer_urls: bool = ..., transfer_emails: bool = ..., transfer_numbers: bool = ..., transfer_placeholders: bool = ...) -> None: ...

class DecodeOptions(_message.Message):
    __slots__ = ("beam_size", "num_hypotheses", "patience", "length_penalty", "coverage_penalty", "repetition_penalty", "no_repeat_ngram_size", "repetition_guard", "min_length", "max_length", "max_length_ratio", "max_length_offset", "disable_unknown", "replace_unknowns", "suppress_sequences", "end_tokens", "top_k", "top_p", "temperature", "seed", "use_shortlist", "return_alternatives", "min_alternative_probability")
    BEAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    NUM_HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    PATIENCE_FIELD_NUMBER: _ClassVar[int]
    LENGTH_PENALTY_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
    NO_REPEAT_NGRAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    REPETITION_GUARD_FIELD_NUMBER: _ClassVar[int]
    MIN_LENGTH_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_RATIO_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_OFFSET_FIELD_NUMBER: _ClassVar[int]
    DISABLE_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    REPLACE_UNKNOWNS_FIELD_NUMBER: _ClassVar[int]
    SUPPRESS_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    END_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    USE_SHORTLIST_FIELD_NUMBER: _ClassVar[int]
    RETURN_ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    MIN_ALTERNATIVE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    beam_size: int
    num_hypotheses: int
    patience: float
    length_penalty: float
    coverage_penalty: float
    repetition_penalty: float
    no_repeat_ngram_size: int
    repetition_guard: bool
    min_length: int
    max_length: int
    max_length_ratio: float
    max_length_offset: int
    disable_unknown: bool
    replace_unknowns: bool
    suppress_sequences: _containers.RepeatedCompositeFieldContainer[Tokens]
    end_tokens: _containers.RepeatedScalarFieldContainer[str]
    top_k: int
    top_p: float
    temperature: float
    seed: int
    use_shortlist: bool
    return_alternatives: bool
    min_alternative_probability: float
    def __init__(self, beam_size: _Optional[int] = ..., num_hypotheses: _Optional[int] = ..., patience: _Optional[float] = ..., length_penalty: _Optional[float] = ..., coverage_penalty: _Optional[float] = ..., repetition_penalty: _Optional[float] = ..., no_repeat_ngram_size: _Optional[int] = ..., repetition_guard: bool = ..., min_length: _Optional[int] = ..., max_length: _Optional[int] = ..., max_length_ratio: _Optional[float] = ..., max_length_offset: _Optional[int] = ..., disable_unknown: bool = ..., replace_unknowns: bool = ..., suppress_sequences: _Optional[_Iterable[_Union[Tokens, _Mapping]]] = ..., end_tokens: _Optional[_Iterable[str]] = ..., top_k: _Optional[int] = ..., top_p: _Optional[float] = ..., temperature: _Optional[float] = ..., seed: _Optional[int] = ..., use_shortlist: bool = ..., return_alternatives: bool = ..., min_alternative_probability: _Optional[float] = ...) -> None: ...

class OutputOptions(_message.Message):
    __slots__ = ("scores", "token_scores", "tokens", "alignment", "alignment_unit", "alignment_min_weight", "timing", "stream_flush_tokens")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    TOKEN_SCORES_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_UNIT_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_MIN_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    STREAM_FLUSH_TOKENS_FIELD_NUMBER: _ClassVar[int]
    scores: bool
    token_scores: bool
    tokens: bool
    alignment: AlignmentMode
    alignment_unit: AlignmentUnit
    alignment_min_weight: float
    timing: bool
    stream_flush_tokens: int
    def __init__(self, scores: bool = ..., token_scores: bool = ..., tokens: bool = ..., alignment: _Optional[_Union[AlignmentMode, str]] = ..., alignment_unit: _Optional[_Union[AlignmentUnit, str]] = ..., alignment_min_weight: _Optional[float] = ..., timing: bool = ..., stream_flush_tokens: _Optional[int] = ...) -> None: ...
