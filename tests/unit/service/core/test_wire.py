"""What passes between a server and an engine's process arrives whole, whatever pieces it comes in."""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.wire import Cancelled, News, Submitted, Unframing, frame
from service.errors import BundleError, FieldViolation, ParityError, ServiceError
from service.search.hypothesis import Certain
from tests.factories import make_request

messages = st.one_of(
    st.builds(Cancelled, st.integers()),
    st.builds(Certain, st.lists(st.integers()).map(tuple), st.just(())).map(lambda certain: News(3, certain)),
    st.binary(max_size=300),
)


@given(st.lists(messages, max_size=8), st.integers(1, 50))
def test_messages_come_whole_and_in_order(sent: list[Any], size: int) -> None:
    """However the bytes are cut."""
    stream = b"".join(map(frame, sent))
    unframing = Unframing()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [message for piece in pieces for message in unframing.push(piece)] == sent


def test_a_request_is_made_again() -> None:
    """With all that an engine reads of it; how long it has waited counts from its arrival at the server."""
    request = make_request(5, 6, 7, beam_size=3, streams=True)
    request.priority, request.deadline = 4, 12.5
    made = Submitted.of(1, request).request()
    numpy.testing.assert_array_equal(made.source_ids, request.source_ids)
    for name in ("options", "streams", "priority", "deadline", "submitted_at"):
        assert getattr(made, name) == getattr(request, name), name
    assert Submitted.of(2, make_request()).request().deadline == math.inf


def every_error(kind: type[ServiceError] = ServiceError) -> list[type[ServiceError]]:
    return [kind, *(one for child in kind.__subclasses__() for one in every_error(child))]


@pytest.mark.parametrize("kind", every_error())
def test_errors_keep_what_a_client_is_told(kind: type[ServiceError]) -> None:
    """Which is more than their message."""
    error = kind("text: is long", [FieldViolation("text", "is long")], {"limit": "5"}, retry_after=0.25)
    found = pickle.loads(pickle.dumps(error))
    assert type(found) is kind
    assert (found.message, found.violations, found.metadata) == (error.message, error.violations, error.metadata)
    assert (found.retry_after, str(found)) == (0.25, "text: is long")


def test_refusals_of_bundles_keep_the_file() -> None:
    """So that whoever loads one in another process can tell what is wrong with it."""
    for kind in (BundleError, ParityError):
        found = pickle.loads(pickle.dumps(kind(Path("en-de/1/step.onnx"), "is empty")))
        assert (type(found), found.path, found.why) == (kind, Path("en-de/1/step.onnx"), "is empty")
        assert str(found) == "en-de/1/step.onnx: is empty"
