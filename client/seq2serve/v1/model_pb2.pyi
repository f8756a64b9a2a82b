import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from seq2serve.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_STATE_START: _ClassVar[ModelState]
    MODEL_STATE_LOADING: _ClassVar[ModelState]
    MODEL_STATE_AVAILABLE: _ClassVar[ModelState]
    MODEL_STATE_UNLOADING: _ClassVar[ModelState]
    MODEL_STATE_END: _ClassVar[ModelState]
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_STATE_START: ModelState
MODEL_STATE_LOADING: ModelState
MODEL_STATE_AVAILABLE: ModelState
MODEL_STATE_UNLOADING: ModelState
MODEL_STATE_END: ModelState

class ModelRef(_message.Message):
    __slots__ = ("name", "version", "alias")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    alias: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., alias: _Optional[str] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ("source_language", "target_language")
    SOURCE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    source_language: str
    target_language: str
    def __init__(self, source_language: _Optional[str] = ..., target_language: _Optional[str] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: ModelRef
    def __init__(self, model: _Optional[_Union[ModelRef, _Mapping]] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...

class VersionStatus(_message.Message):
    __slots__ = ("version", "state", "message")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    version: int
    state: ModelState
    message: str
    def __init__(self, version: _Optional[int] = ..., state: _Optional[_Union[ModelState, str]] = ..., message: _Optional[str] = ...) -> None: ...

class ModelAlias(_message.Message):
    __slots__ = ("alias", "version", "weight")
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    alias: str
    version: int
    weight: float
    def __init__(self, alias: _Optional[str] = ..., version: _Optional[int] = ..., weight: _Optional[float] = ...) -> None: ...

class LanguagePair(_message.Message):
    __slots__ = ("source", "target")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_source_tokens", "max_length", "max_beam_size", "max_num_hypotheses", "max_batch_items", "max_text_bytes", "max_glossary_terms")
    MAX_SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    MAX_BEAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_NUM_HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_TEXT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_GLOSSARY_TERMS_FIELD_NUMBER: _ClassVar[int]
    max_source_tokens: int
    max_length: int
    max_beam_size: int
    max_num_hypotheses: int
    max_batch_items: int
    max_text_bytes: int
    max_glossary_terms: int
    def __init__(self, max_source_tokens: _Optional[int] = ..., max_length: _Optional[int] = ..., max_beam_size: _Optional[int] = ..., max_num_hypotheses: _Optional[int] = ..., max_batch_items: _Optional[int] = ..., max_text_bytes: _Optional[int] = ..., max_glossary_terms: _Optional[int] = ...) -> None: ...

class Runtime(_message.Message):
    __slots__ = ("provider", "device", "precision", "slots", "cpu_nodes", "memcpy_nodes", "load_duration", "loaded_at")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    CPU_NODES_FIELD_NUMBER: _ClassVar[int]
    MEMCPY_NODES_FIELD_NUMBER: _ClassVar[int]
    LOAD_DURATION_FIELD_NUMBER: _ClassVar[int]
    LOADED_AT_FIELD_NUMBER: _ClassVar[int]
    provider: str
    device: str
    precision: str
    slots: int
    cpu_nodes: int
    memcpy_nodes: int
    load_duration: _duration_pb2.Duration
    loaded_at: _timestamp_pb2.Timestamp
    def __init__(self, provider: _Optional[str] = ..., device: _Optional[str] = ..., precision: _Optional[str] = ..., slots: _Optional[int] = ..., cpu_nodes: _Optional[int] = ..., memcpy_nodes: _Optional[int] = ..., load_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., loaded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Parity(_message.Message):
    __slots__ = ("passed", "sentences", "mismatches", "max_difference")
    PASSED_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    MISMATCHES_FIELD_NUMBER: _ClassVar[int]
    MAX_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    passed: bool
    sentences: int
    mismatches: int
    max_difference: float
    def __init__(self, passed: bool = ..., sentences: _Optional[int] = ..., mismatches: _Optional[int] = ..., max_difference: _Optional[float] = ...) -> None: ...

class TrainingScore(_message.Message):
    __slots__ = ("metric", "value", "dataset", "signature")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    metric: str
    value: float
    dataset: str
    signature: str
    def __init__(self, metric: _Optional[str] = ..., value: _Optional[float] = ..., dataset: _Optional[str] = ..., signature: _Optional[str] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "version", "state", "versions", "aliases", "is_default", "languages", "description", "architecture", "attention", "parameter_count", "source_vocabulary_size", "target_vocabulary_size", "limits", "default_options", "default_input", "default_output", "runtime", "bundle_digest", "bundle_format_version", "parity", "training_scores", "training_data")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_FIELD_NUMBER: _ClassVar[int]
    PARAMETER_COUNT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VOCABULARY_SIZE_FIELD_NUMBER: _ClassVar[int]
    TARGET_VOCABULARY_SIZE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_INPUT_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FORMAT_VERSION_FIELD_NUMBER: _ClassVar[int]
    PARITY_FIELD_NUMBER: _ClassVar[int]
    TRAINING_SCORES_FIELD_NUMBER: _ClassVar[int]
    TRAINING_DATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    state: ModelState
    versions: _containers.RepeatedCompositeFieldContainer[VersionStatus]
    aliases: _containers.RepeatedCompositeFieldContainer[ModelAlias]
    is_default: bool
    languages: _containers.RepeatedCompositeFieldContainer[LanguagePair]
    description: str
    architecture: str
    attention: str
    parameter_count: int
    source_vocabulary_size: int
    target_vocabulary_size: int
    limits: Limits
    default_options: _options_pb2.DecodeOptions
    default_input: _options_pb2.InputOptions
    default_output: _options_pb2.OutputOptions
    runtime: Runtime
    bundle_digest: str
    bundle_format_version: int
    parity: Parity
    training_scores: _containers.RepeatedCompositeFieldContainer[TrainingScore]
    training_data: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[_Union[ModelState, str]] = ..., versions: _Optional[_Iterable[_Union[VersionStatus, _Mapping]]] = ..., aliases: _Optional[_Iterable[_Union[ModelAlias, _Mapping]]] = ..., is_default: bool = ..., languages: _Optional[_Iterable[_Union[LanguagePair, _Mapping]]] = ..., description: _Optional[str] = ..., architecture: _Optional[str] = ..., attention: _Optional[str] = ..., parameter_count: _Optional[int] = ..., source_vocabulary_size: _Optional[int] = ..., target_vocabulary_size: _Optional[int] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., default_options: _Optional[_Union[_options_pb2.DecodeOptions, _Mapping]] = ..., default_input: _Optional[_Union[_options_pb2.InputOptions, _Mapping]] = ..., default_output: _Optional[_Union[_options_pb2.OutputOptions, _Mapping]] = ..., runtime: _Optional[_Union[Runtime, _Mapping]] = ..., bundle_digest: _Optional[str] = ..., bundle_format_version: _Optional[int] = ..., parity: _Optional[_Union[Parity, _Mapping]] = ..., training_scores: _Optional[_Iterable[_Union[TrainingScore, _Mapping]]] = ..., training_data: _Optional[str] = ...) -> None: ...
