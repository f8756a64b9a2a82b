"""Client for seq2serve, a server for attention sequence-to-sequence models.

    from seq2serve import Client

    with Client("127.0.0.1:50051") as client:
        print(client.translate("The weather is nice today."))

`AsyncClient` is the same for asyncio; every error derives from `Seq2ServeError`.
"""

from seq2serve.aio import AsyncClient
from seq2serve.client import Client
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
from seq2serve.model import LanguagePair, Model, TrainingScore
from seq2serve.options import TranslateOptions
from seq2serve.pending import Pending
from seq2serve.result import (
    Hypothesis,
    Link,
    ModelVersion,
    Notice,
    Timing,
    Translation,
    Usage,
    Word,
)
from seq2serve.version import version

__version__ = version()

__all__ = [
    "AsyncClient",
    "Cancelled",
    "Client",
    "ClientLimit",
    "DeadlineExceeded",
    "DeadlineUnmeetable",
    "Draining",
    "EmptySource",
    "FailedPrecondition",
    "Hypothesis",
    "InternalError",
    "InvalidOption",
    "InvalidRequest",
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
    "Pending",
    "PermissionDenied",
    "QueueFull",
    "ResourceExhausted",
    "Seq2ServeError",
    "ServerUnreachable",
    "SourceTooLong",
    "Timing",
    "TrainingScore",
    "TranslateOptions",
    "Translation",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UnsupportedOption",
    "Usage",
    "VersionNotFound",
    "Word",
    "__version__",
]
