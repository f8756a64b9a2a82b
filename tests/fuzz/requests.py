"""Requests to every method of the API, drawn from its descriptors: tame, hostile, damaged, and noise."""

from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from seq2serve.v1 import model_pb2, options_pb2, translation_pb2
from tests.fuzz.wire import Bytes, fields, mutations

T = TypeVar("T")
SERVICES = (
    translation_pb2.DESCRIPTOR.services_by_name["TranslationService"],
    model_pb2.DESCRIPTOR.services_by_name["ModelService"],
)
METHODS = tuple(method for service in SERVICES for method in service.methods)
SHORT = options_pb2.DecodeOptions(max_length=4)  # what most requests end with: the server is to read, not to translate
TEXT = "Where is the station?"
# What a drawn message goes on from; protobuf merges what comes twice.
VALID: dict[str, Message] = {
    "TranslateRequest": translation_pb2.TranslateRequest(text=TEXT),
    "TranslateBatchRequest": translation_pb2.TranslateBatchRequest(
        items=[translation_pb2.TranslateRequest(text=TEXT, options=SHORT)] * 2
    ),
    "ScoreRequest": translation_pb2.ScoreRequest(source_text=TEXT, target_text="Wo?"),
    "ListModelsRequest": model_pb2.ListModelsRequest(),
    "GetModelRequest": model_pb2.GetModelRequest(),
}
ENDS = {
    "TranslateRequest": translation_pb2.TranslateRequest(options=SHORT).SerializeToString(),
    "TranslateBatchRequest": translation_pb2.TranslateBatchRequest(
        defaults=translation_pb2.TranslateRequest(options=SHORT)
    ).SerializeToString(),
}


@dataclass(frozen=True)
class Request:
    """Hold what is sent to one method: one message, or those of a stream."""

    method: MethodDescriptor
    messages: tuple[bytes, ...]

    @property
    def path(self) -> str:
        """Return the method's path in HTTP/2."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    def __str__(self) -> str:
        """Write the request so that `benchmarks.fuzz --replay` can send it again."""
        return f"{self.path}={','.join(message.hex() for message in self.messages)}"

    @classmethod
    def parse(cls, text: str) -> "Request":
        """Read what __str__ wrote."""
        path, _, messages = text.partition("=")
        method = next(one for one in METHODS if path.endswith(f"/{one.name}"))
        return cls(method, tuple(bytes.fromhex(message) for message in messages.split(",")))


def requests() -> st.SearchStrategy[Request]:
    """Draw requests to all methods, most of them to those that translate."""
    weights = [3 if method.containing_service is SERVICES[0] else 1 for method in METHODS]
    return st.one_of(
        [_requests(method) for method, weight in zip(METHODS, weights, strict=True) for _ in range(weight)]
    )


def draw(strategy: st.SearchStrategy[T], count: int, number: int) -> list[T]:
    """Draw `count` values, the same for the same number."""
    found: list[T] = []

    @seed(number)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: T) -> None:
        found.append(value)

    collect()
    return found


def _requests(method: MethodDescriptor) -> st.SearchStrategy[Request]:
    messages = _messages(method)
    several = st.lists(messages, min_size=1, max_size=5) if method.client_streaming else messages.map(lambda one: [one])
    return several.map(lambda drawn: Request(method, tuple(drawn)))


def _messages(method: MethodDescriptor) -> Bytes:
    kind = method.input_type
    valid, end = VALID[kind.name].SerializeToString(), ENDS.get(kind.name, b"")

    def merged(drawn: tuple[bytes, ...]) -> bytes:
        return b"".join(drawn)

    begins, ends = st.sampled_from([valid, valid, valid, b""]), st.sampled_from([end, end, end, b""])
    whole = [st.tuples(begins, fields(kind, hostile), ends).map(merged) for hostile in (False, True)]
    return st.one_of(*whole, *whole, mutations(st.one_of(whole)), st.binary(max_size=200))
