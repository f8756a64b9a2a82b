"""What passes between a server and an engine's process arrives whole, whatever pieces it comes in."""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import wire
from service.core.wire import (
    OUTCOME,
    Accepted,
    Cancelled,
    Ended,
    Message,
    Progressed,
    Submitted,
    Unframing,
    frame,
)
from service.errors import BundleError, FieldViolation, ParityError, ServiceError
from service.options import Sampling
from service.search.hypothesis import FinishReason, Hypothesis
from tests.factories import make_request

messages = st.one_of(
    st.builds(Cancelled, st.integers()),
    st.builds(Accepted, st.integers()),
    st.builds(Progressed, st.integers(), st.lists(st.integers()).map(tuple), st.just(())),
    st.builds(Submitted, st.integers(), st.binary(max_size=300), st.binary(), *[st.just(0)] * 4),
)


@given(st.lists(st.lists(messages, max_size=3), max_size=8), st.integers(1, 50))
def test_messages_come_whole_and_in_order(sent: list[list[Message]], size: int) -> None:
    """However the bytes are cut, and each as what it was."""
    stream = b"".join(map(frame, sent))
    unframing = Unframing()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    found = [message for piece in pieces for message in unframing.push(piece)]
    assert found == [message for together in sent for message in together]
    assert [type(message) for message in found] == [type(message) for together in sent for message in together]


def test_a_request_is_made_again() -> None:
    """With all that an engine reads of it; how long it has waited counts from its arrival at the server."""
    request = make_request(5, 6, 7, beam_size=3, streams=True)
    request.priority, request.deadline = 4, 12.5
    made = Submitted.of(1, request).request()
    numpy.testing.assert_array_equal(made.source_ids, request.source_ids)
    for name in ("options", "streams", "priority", "deadline", "submitted_at"):
        assert getattr(made, name) == getattr(request, name), name
    assert Submitted.of(2, make_request()).request().deadline == math.inf


def _over_the_wire(message: Message) -> Any:
    (found,) = Unframing().push(frame([message]))
    return found


def test_options_go_over_the_wire_as_they_are() -> None:
    """Whatever they are, and not as those of a request before."""
    for options in (
        {},
        {"beam_size": 4, "length_penalty": 0.5},
        {"sampling": Sampling(seed=2**64 - 1, top_k=3)},
        {"suppressed": ((4, 5), (6,)), "prefix": (7, 8), "end_ids": (9,)},
    ):
        made = make_request(**options)
        assert _over_the_wire(Submitted.of(1, made)).request().options == made.options


def test_options_of_a_caller_s_own_are_not_kept() -> None:
    """Sequences may be long, and seeds are all different: only what is alike in many requests is remembered."""
    kept = wire._pack_options.cache_info().currsize, wire._unpack_options.cache_info().currsize
    many = tuple((i, i + 1) for i in range(4, 500))
    for options in (
        {"suppressed": many},
        {"prefix": tuple(range(4, 400))},
        {"end_ids": tuple(range(4, 400))},
        {"sampling": Sampling(seed=99)},
    ):
        made = make_request(**options)
        assert _over_the_wire(Submitted.of(1, made)).request().options == made.options
    assert (wire._pack_options.cache_info().currsize, wire._unpack_options.cache_info().currsize) == kept


@pytest.mark.parametrize("aligned", [False, True])
def test_an_end_is_told_as_it_was(aligned: bool) -> None:
    """Every hypothesis to the last bit, and all that a reply or a metric reads of a request."""
    request, there = make_request(), make_request()
    alignment = numpy.arange(6, dtype=numpy.float32).reshape(2, 3) / 7 if aligned else None
    scores = numpy.array([-0.1, numpy.nan, -2.5], numpy.float32)
    request.hypotheses = [
        Hypothesis((5, 6), scores, -2.6, -0.7, FinishReason.EOS, alignment),
        Hypothesis((), scores[:1], -0.1, -0.1, FinishReason.LENGTH, None),
    ]
    request.finish_reason, request.error = FinishReason.EOS, None
    for number, name in enumerate(OUTCOME[1:], 1):
        setattr(request, name, number)
    _over_the_wire(Ended.of(3, request)).tell(there)
    for name in ("finish_reason", *OUTCOME):
        assert getattr(there, name) == getattr(request, name), name
    for found, told in zip(there.hypotheses, request.hypotheses, strict=True):
        for name in ("ids", "log_probability", "rank", "finish_reason"):
            assert getattr(found, name) == getattr(told, name), name
        numpy.testing.assert_array_equal(found.token_scores, told.token_scores)
        assert found.token_scores.dtype == numpy.float32
    if aligned:
        numpy.testing.assert_array_equal(there.hypotheses[0].alignment, alignment)
    assert there.hypotheses[-1].alignment is None


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
