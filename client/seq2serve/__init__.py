"""Client for seq2serve, a server for attention sequence-to-sequence models.

    from seq2serve import Client

    with Client("127.0.0.1:50051") as client:
        print(client.translate("The weather is nice today."))

Besides single texts they translate as a stream of parts (`translate_stream`), many in one call
(`translate_batch`) and any number (`translate_bulk`), and score given translations (`score`).
`AsyncClient` is the same for asyncio; every error derives from `Seq2ServeError`.
"""

from seq2serve.aio import AsyncClient
from seq2serve.client import Client
from seq2serve.details import FieldViolation
from seq2serve.errors import (
    Cancelled,
    ClientLimit,
    DeadlineExceeded,
    DeadlineUnmeetable,
    Draining,
    EmptySource,
    FailedPrecondition,
    InternalError,
    InvalidOption,
    InvalidRequest,
    LanguagePairNotFound,
    MalformedRequest,
    ModelLanguageMismatch,
    ModelNotFound,
    ModelNotReady,
    NotFound,
    PermissionDenied,
    QueueFull,
    ResourceExhausted,
    Seq2ServeError,
    ServerUnreachable,
    SourceTooLong,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    UnsupportedOption,
    VersionNotFound,
)
from seq2serve.facts import ModelVersion, Notice, Timing, Usage
from seq2serve.hypothesis import Hypothesis, Link, Word
from seq2serve.model import LanguagePair, Model, TrainingScore
from seq2serve.options import GlossaryTerm, ScoreOptions, TranslateOptions
from seq2serve.outcome import BulkResult, Outcome
from seq2serve.pending import Pending
from seq2serve.result import Sentence, Translation
from seq2serve.scored import Scored
from seq2serve.source import Item, Source, Tokens
from seq2serve.stream import Accepted, AsyncTranslationStream, Delta, TranslationStream
from seq2serve.version import version

__version__ = version()

__all__ = [
    "Accepted",
    "AsyncClient",
    "AsyncTranslationStream",
    "BulkResult",
    "Cancelled",
    "Client",
    "ClientLimit",
    "DeadlineExceeded",
    "DeadlineUnmeetable",
    "Delta",
    "Draining",
    "EmptySource",
    "FailedPrecondition",
    "FieldViolation",
    "GlossaryTerm",
    "Hypothesis",
    "InternalError",
    "InvalidOption",
    "InvalidRequest",
    "Item",
    "LanguagePair",
    "LanguagePairNotFound",
    "Link",
    "MalformedRequest",
    "Model",
    "ModelLanguageMismatch",
    "ModelNotFound",
    "ModelNotReady",
    "ModelVersion",
    "NotFound",
    "Notice",
    "Outcome",
    "Pending",
    "PermissionDenied",
    "QueueFull",
    "ResourceExhausted",
    "ScoreOptions",
    "Scored",
    "Sentence",
    "Seq2ServeError",
    "ServerUnreachable",
    "Source",
    "SourceTooLong",
    "Timing",
    "Tokens",
    "TrainingScore",
    "TranslateOptions",
    "Translation",
    "TranslationStream",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UnsupportedOption",
    "Usage",
    "VersionNotFound",
    "Word",
    "__version__",
]
