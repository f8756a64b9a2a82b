import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from seq2serve.v1 import model_pb2 as _model_pb2
from seq2serve.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_EOS: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]
    FINISH_REASON_END_TOKEN: _ClassVar[FinishReason]
    FINISH_REASON_REPETITION_GUARD: _ClassVar[FinishReason]
    FINISH_REASON_CANCELLED: _ClassVar[FinishReason]
    FINISH_REASON_DEADLINE: _ClassVar[FinishReason]
    FINISH_REASON_ERROR: _ClassVar[FinishReason]
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_EOS: FinishReason
FINISH_REASON_LENGTH: FinishReason
FINISH_REASON_END_TOKEN: FinishReason
FINISH_REASON_REPETITION_GUARD: FinishReason
FINISH_REASON_CANCELLED: FinishReason
FINISH_REASON_DEADLINE: FinishReason
FINISH_REASON_ERROR: FinishReason

class TranslateRequest(_message.Message):
    __slots__ = ("request_id", "model", "text", "tokens", "options", "output", "priority", "target_prefix", "target_prefix_tokens", "prefix_bias", "source_language", "target_language", "input", "glossary")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TARGET_PREFIX_FIELD_NUMBER: _ClassVar[int]
    TARGET_PREFIX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PREFIX_BIAS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    GLOSSARY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: _model_pb2.ModelRef
    text: str
    tokens: _options_pb2.Tokens
    options: _options_pb2.DecodeOptions
    output: _options_pb2.OutputOptions
    priority: int
    target_prefix: str
    target_prefix_tokens: _options_pb2.Tokens
    prefix_bias: float
    source_language: str
    target_language: str
    input: _options_pb2.InputOptions
    glossary: _containers.RepeatedCompositeFieldContainer[GlossaryTerm]
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[_Union[_model_pb2.ModelRef, _Mapping]] = ..., text: _Optional[str] = ..., tokens: _Optional[_Union[_options_pb2.Tokens, _Mapping]] = ..., options: _Optional[_Union[_options_pb2.DecodeOptions, _Mapping]] = ..., output: _Optional[_Union[_options_pb2.OutputOptions, _Mapping]] = ..., priority: _Optional[int] = ..., target_prefix: _Optional[str] = ..., target_prefix_tokens: _Optional[_Union[_options_pb2.Tokens, _Mapping]] = ..., prefix_bias: _Optional[float] = ..., source_language: _Optional[str] = ..., target_language: _Optional[str] = ..., input: _Optional[_Union[_options_pb2.InputOptions, _Mapping]] = ..., glossary: _Optional[_Iterable[_Union[GlossaryTerm, _Mapping]]] = ...) -> None: ...

class GlossaryTerm(_message.Message):
    __slots__ = ("source", "target", "case_sensitive")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    CASE_SENSITIVE_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    case_sensitive: bool
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ..., case_sensitive: bool = ...) -> None: ...

class TranslateResponse(_message.Message):
    __slots__ = ("request_id", "hypotheses", "resolved_model", "usage", "timing", "warnings", "source_tokens", "source_words", "sentences", "seed")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_MODEL_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_WORDS_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    hypotheses: _containers.RepeatedCompositeFieldContainer[Hypothesis]
    resolved_model: _model_pb2.ModelRef
    usage: Usage
    timing: Timing
    warnings: _containers.RepeatedCompositeFieldContainer[Notice]
    source_tokens: _containers.RepeatedScalarFieldContainer[str]
    source_words: _containers.RepeatedCompositeFieldContainer[Word]
    sentences: _containers.RepeatedCompositeFieldContainer[Sentence]
    seed: int
    def __init__(self, request_id: _Optional[str] = ..., hypotheses: _Optional[_Iterable[_Union[Hypothesis, _Mapping]]] = ..., resolved_model: _Optional[_Union[_model_pb2.ModelRef, _Mapping]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., timing: _Optional[_Union[Timing, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[Notice, _Mapping]]] = ..., source_tokens: _Optional[_Iterable[str]] = ..., source_words: _Optional[_Iterable[_Union[Word, _Mapping]]] = ..., sentences: _Optional[_Iterable[_Union[Sentence, _Mapping]]] = ..., seed: _Optional[int] = ...) -> None: ...

class Hypothesis(_message.Message):
    __slots__ = ("text", "tokens", "score", "token_scores", "alignment", "finish_reason", "log_probability", "token_ids", "words")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_SCORES_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    LOG_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    text: str
    tokens: _containers.RepeatedScalarFieldContainer[str]
    score: float
    token_scores: _containers.RepeatedScalarFieldContainer[float]
    alignment: _containers.RepeatedCompositeFieldContainer[AlignmentPoint]
    finish_reason: FinishReason
    log_probability: float
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    words: _containers.RepeatedCompositeFieldContainer[Word]
    def __init__(self, text: _Optional[str] = ..., tokens: _Optional[_Iterable[str]] = ..., score: _Optional[float] = ..., token_scores: _Optional[_Iterable[float]] = ..., alignment: _Optional[_Iterable[_Union[AlignmentPoint, _Mapping]]] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., log_probability: _Optional[float] = ..., token_ids: _Optional[_Iterable[int]] = ..., words: _Optional[_Iterable[_Union[Word, _Mapping]]] = ...) -> None: ...

class AlignmentPoint(_message.Message):
    __slots__ = ("source", "target", "weight")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    source: int
    target: int
    weight: float
    def __init__(self, source: _Optional[int] = ..., target: _Optional[int] = ..., weight: _Optional[float] = ...) -> None: ...

class Word(_message.Message):
    __slots__ = ("text", "start", "end")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    text: str
    start: int
    end: int
    def __init__(self, text: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class Sentence(_message.Message):
    __slots__ = ("source", "target", "finish_reason", "score")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    finish_reason: FinishReason
    score: float
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., score: _Optional[float] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("source_tokens", "target_tokens", "unknown_source_tokens", "truncated_source_tokens", "cached")
    SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TARGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    source_tokens: int
    target_tokens: int
    unknown_source_tokens: int
    truncated_source_tokens: int
    cached: bool
    def __init__(self, source_tokens: _Optional[int] = ..., target_tokens: _Optional[int] = ..., unknown_source_tokens: _Optional[int] = ..., truncated_source_tokens: _Optional[int] = ..., cached: bool = ...) -> None: ...

class Timing(_message.Message):
    __slots__ = ("total", "tokenize", "queue", "encode", "decode", "detokenize", "time_to_first_token", "decode_steps", "mean_batch_size")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    TOKENIZE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    ENCODE_FIELD_NUMBER: _ClassVar[int]
    DECODE_FIELD_NUMBER: _ClassVar[int]
    DETOKENIZE_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_FIRST_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DECODE_STEPS_FIELD_NUMBER: _ClassVar[int]
    MEAN_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    total: _duration_pb2.Duration
    tokenize: _duration_pb2.Duration
    queue: _duration_pb2.Duration
    encode: _duration_pb2.Duration
    decode: _duration_pb2.Duration
    detokenize: _duration_pb2.Duration
    time_to_first_token: _duration_pb2.Duration
    decode_steps: int
    mean_batch_size: float
    def __init__(self, total: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., tokenize: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., queue: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., encode: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., decode: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., detokenize: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., time_to_first_token: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., decode_steps: _Optional[int] = ..., mean_batch_size: _Optional[float] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("reason", "message", "field")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    field: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., field: _Optional[str] = ...) -> None: ...

class TranslateEvent(_message.Message):
    __slots__ = ("accepted", "delta", "final")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    accepted: Accepted
    delta: TranslationDelta
    final: TranslateResponse
    def __init__(self, accepted: _Optional[_Union[Accepted, _Mapping]] = ..., delta: _Optional[_Union[TranslationDelta, _Mapping]] = ..., final: _Optional[_Union[TranslateResponse, _Mapping]] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("request_id", "resolved_model", "source_tokens")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    resolved_model: _model_pb2.ModelRef
    source_tokens: int
    def __init__(self, request_id: _Optional[str] = ..., resolved_model: _Optional[_Union[_model_pb2.ModelRef, _Mapping]] = ..., source_tokens: _Optional[int] = ...) -> None: ...

class TranslationDelta(_message.Message):
    __slots__ = ("text", "tokens", "token_ids", "token_scores")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_SCORES_FIELD_NUMBER: _ClassVar[int]
    text: str
    tokens: _containers.RepeatedScalarFieldContainer[str]
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    token_scores: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, text: _Optional[str] = ..., tokens: _Optional[_Iterable[str]] = ..., token_ids: _Optional[_Iterable[int]] = ..., token_scores: _Optional[_Iterable[float]] = ...) -> None: ...

class TranslateBatchRequest(_message.Message):
    __slots__ = ("request_id", "items", "defaults")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    items: _containers.RepeatedCompositeFieldContainer[TranslateRequest]
    defaults: TranslateRequest
    def __init__(self, request_id: _Optional[str] = ..., items: _Optional[_Iterable[_Union[TranslateRequest, _Mapping]]] = ..., defaults: _Optional[_Union[TranslateRequest, _Mapping]] = ...) -> None: ...

class TranslateBatchResponse(_message.Message):
    __slots__ = ("request_id", "results")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    results: _containers.RepeatedCompositeFieldContainer[TranslateResult]
    def __init__(self, request_id: _Optional[str] = ..., results: _Optional[_Iterable[_Union[TranslateResult, _Mapping]]] = ...) -> None: ...

class TranslateResult(_message.Message):
    __slots__ = ("request_id", "index", "status", "response")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    index: int
    status: ItemStatus
    response: TranslateResponse
    def __init__(self, request_id: _Optional[str] = ..., index: _Optional[int] = ..., status: _Optional[_Union[ItemStatus, _Mapping]] = ..., response: _Optional[_Union[TranslateResponse, _Mapping]] = ...) -> None: ...

class ItemStatus(_message.Message):
    __slots__ = ("code", "reason", "message", "field_violations", "retry_after")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    message: str
    field_violations: _containers.RepeatedCompositeFieldContainer[FieldViolation]
    retry_after: _duration_pb2.Duration
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., field_violations: _Optional[_Iterable[_Union[FieldViolation, _Mapping]]] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class FieldViolation(_message.Message):
    __slots__ = ("field", "description")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    field: str
    description: str
    def __init__(self, field: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class ScoreRequest(_message.Message):
    __slots__ = ("request_id", "model", "source_language", "target_language", "source_text", "source_tokens", "target_text", "target_tokens", "output", "priority", "input")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TARGET_TEXT_FIELD_NUMBER: _ClassVar[int]
    TARGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: _model_pb2.ModelRef
    source_language: str
    target_language: str
    source_text: str
    source_tokens: _options_pb2.Tokens
    target_text: str
    target_tokens: _options_pb2.Tokens
    output: _options_pb2.OutputOptions
    priority: int
    input: _options_pb2.InputOptions
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[_Union[_model_pb2.ModelRef, _Mapping]] = ..., source_language: _Optional[str] = ..., target_language: _Optional[str] = ..., source_text: _Optional[str] = ..., source_tokens: _Optional[_Union[_options_pb2.Tokens, _Mapping]] = ..., target_text: _Optional[str] = ..., target_tokens: _Optional[_Union[_options_pb2.Tokens, _Mapping]] = ..., output: _Optional[_Union[_options_pb2.OutputOptions, _Mapping]] = ..., priority: _Optional[int] = ..., input: _Optional[_Union[_options_pb2.InputOptions, _Mapping]] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("request_id", "hypothesis", "resolved_model", "usage", "timing", "warnings", "source_tokens", "source_words")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    HYPOTHESIS_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_MODEL_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_WORDS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    hypothesis: Hypothesis
    resolved_model: _model_pb2.ModelRef
    usage: Usage
    timing: Timing
    warnings: _containers.RepeatedCompositeFieldContainer[Notice]
    source_tokens: _containers.RepeatedScalarFieldContainer[str]
    source_words: _containers.RepeatedCompositeFieldContainer[Word]
    def __init__(self, request_id: _Optional[str] = ..., hypothesis: _Optional[_Union[Hypothesis, _Mapping]] = ..., resolved_model: _Optional[_Union[_model_pb2.ModelRef, _Mapping]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., timing: _Optional[_Union[Timing, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[Notice, _Mapping]]] = ..., source_tokens: _Optional[_Iterable[str]] = ..., source_words: _Optional[_Iterable[_Union[Word, _Mapping]]] = ...) -> None: ...
