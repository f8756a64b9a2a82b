"""The desk of an engine's process hands requests over, and says of each what becomes of it, and nothing else."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from service.core.desk import FEW, FEW_INT8, HURRIED, PATIENCE, Desk
from service.core.wire import (
    Accepted,
    Cancelled,
    Ended,
    Message,
    Progressed,
    Refused,
    Submitted,
    Unframing,
    frame,
)
from service.errors import QueueFull
from service.request import Request
from service.search.hypothesis import Certain, FinishReason
from tests.factories import make_request

MANY = 2 * FEW  # requests, of which some are told together
MARKER = 1 << 40  # the number of a request that shows that those before it have been read


@dataclass
class NotedCore:
    """Note what is handed over, and refuse what is told to."""

    full: bool = False
    taken: Callable[[Request], None] | None = None  # is called with who is taken, as by an engine that begins at once
    submitted: list[Request] = field(default_factory=list)
    cancelled: list[Request] = field(default_factory=list)

    def submit(self, request: Request) -> None:
        """Take a request, or refuse it."""
        if self.full:
            raise QueueFull("3 requests are waiting, the limit is 3: try again later", retry_after=0.5)
        self.submitted.append(request)
        if self.taken is not None:
            self.taken(request)

    def cancel(self, request: Request) -> None:
        """Take note."""
        self.cancelled.append(request)


class Served:
    """Hold a desk from which a thread fetches, and the server's end of its socket."""

    def __init__(self) -> None:
        self.server, self._there = socket.socketpair()
        self.server.settimeout(20)
        self.now = 100.0
        self.core, self.desk = NotedCore(), Desk(self._there, lambda: self.now)
        self.desk.open(self.core)
        self._over = False
        self.thread = threading.Thread(target=self._fetch)
        self.thread.start()
        self._unframing, self._heard = Unframing(), list[Message]()

    def _fetch(self) -> None:
        while not self._over:
            self.desk.wait()
            self.desk.fetch()

    def close(self) -> None:
        """Close the desk, from which nobody fetches any more."""
        self._over = True
        self.desk.ring()
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.desk.close()

    def end(self) -> None:
        """Close what is open."""
        if not self._over:
            self.close()
        self.server.close()
        self._there.close()

    def send(self, *messages: Message) -> None:
        """Send messages in one piece."""
        self.server.sendall(frame(messages))

    def hear(self) -> Message:
        """Return the next news."""
        while not self._heard:
            self._heard += self._unframing.push(self.server.recv(1 << 16))
        return self._heard.pop(0)

    def submit(self, number: int, **options: Any) -> Request:
        """Send a request, and return what the core got, once it has it."""
        self.send(Submitted.of(number, make_request(**options)))
        if options.get("streams"):
            assert self.hear() == Accepted(number)
        self.settle()
        return self.core.submitted[-1]

    def settle(self) -> None:
        """Wait until all that was sent has been read."""
        self.send(Submitted.of(MARKER, make_request(streams=True)))
        assert self.hear() == Accepted(MARKER)
        self.core.submitted.pop()


@pytest.fixture
def served() -> Iterator[Served]:
    """Serve a desk until the test is over."""
    one = Served()
    yield one
    one.end()


def finish(request: Request) -> None:
    request.finish_reason, request.steps, request.finished_at = FinishReason.EOS, 7, 3.5


def test_an_end_is_told_once(served: Served) -> None:
    """With what became of the request, and by the number that the server knows it by."""
    request = served.submit(5)
    finish(request)
    served.desk.emit([request])
    served.desk.emit([request])
    told = served.hear()
    assert isinstance(told, Ended)
    there = make_request()
    told.tell(there)
    assert told.number == 5
    assert (there.finish_reason, there.steps, there.finished_at) == (FinishReason.EOS, 7, 3.5)
    served.settle()  # nothing else comes before the marker


def test_streams_hear_that_they_are_in_line_and_of_every_piece(served: Served) -> None:
    """Pieces come in their order; of an engine's thread that is quick the first may come before `Accepted`."""
    request = served.submit(6, streams=True)
    for ids in ((8,), (8, 9)):
        request.certain = Certain(ids, ())
        served.desk.emit([request])
    assert [served.hear() for _ in range(2)] == [Progressed(6, (8,), ()), Progressed(6, (8, 9), ())]


def test_a_piece_may_be_quicker_than_the_news_of_being_accepted(served: Served) -> None:
    """Neither is lost: the engine knows a request before the desk has said so."""

    def begin(request: Request) -> None:
        request.certain = Certain((8,), ())
        served.desk.emit([request])

    served.core.taken = begin
    served.send(Submitted.of(6, make_request(streams=True)))
    assert [served.hear() for _ in range(2)] == [Progressed(6, (8,), ()), Accepted(6)]


def test_a_refusal_is_news(served: Served) -> None:
    """It carries what the client is told, and nothing more comes of the request."""
    served.core.full = True
    served.send(Submitted.of(7, make_request()))
    told = served.hear()
    assert isinstance(told, Refused)
    assert (told.number, type(told.error)) == (7, QueueFull)
    assert told.error.retry_after == 0.5
    served.core.full = False
    served.settle()
    assert served.core.submitted == []


def test_who_is_given_up_is_told_nothing(served: Served) -> None:
    """The core hears of it; numbers that have ended, or never were, are passed over."""
    request = served.submit(8)
    served.send(Cancelled(8), Cancelled(8), Cancelled(99))
    served.settle()
    assert served.core.cancelled == [request]
    finish(request)
    served.desk.emit([request])
    served.settle()


def crowd(served: Served, size: int) -> list[Request]:
    """Let many be in flight, numbered from 0."""
    served.send(*(Submitted.of(number, make_request()) for number in range(size)))
    served.settle()
    return served.core.submitted


def test_of_many_in_flight_some_are_told_together(served: Served) -> None:
    """Once the others are no more than these and a few, the marker of the tests among them."""
    requests = crowd(served, MANY)
    together = -(-(MANY + 1 - FEW) // 2)
    for request in requests[:together]:
        finish(request)
        served.settle()  # nothing is told before
        served.desk.emit([request])
    assert [served.hear().number for _ in range(together)] == [*range(together)]


@pytest.mark.parametrize("few", [FEW, FEW_INT8])
def test_nobody_waits_where_few_are_in_flight(served: Served, few: int) -> None:
    """With four more the first waits for a second, with two more nobody; the marker of the tests is among them."""
    served.desk.few = few
    requests = crowd(served, few + 3)
    finish(requests[0])
    served.desk.emit(requests[:1])
    served.settle()  # nothing is told before
    for number, told in ((1, [0, 1]), (2, [2])):
        finish(requests[number])
        served.desk.emit([requests[number]])
        assert [served.hear().number for _ in told] == told


def test_who_waits_is_told_when_the_others_are_given_up(served: Served) -> None:
    """There may be no further step."""
    requests = crowd(served, MANY)
    finish(requests[0])
    served.desk.emit(requests[:1])
    served.settle()
    served.send(*(Cancelled(number) for number in range(1, MANY)))
    assert served.hear().number == 0


def test_nobody_waits_long_for_others(served: Served) -> None:
    """Every step looks at the clock, also one by which nobody ends."""
    request = crowd(served, MANY)[0]
    finish(request)
    served.desk.emit([request])
    served.now += 0.9 * PATIENCE
    served.desk.emit([])
    served.settle()
    served.now += 0.1 * PATIENCE + 1e-9
    served.desk.emit([])
    assert served.hear().number == 0


def test_a_piece_that_somebody_waits_for_takes_along_what_is_held(served: Served) -> None:
    """In the order in which it happened."""
    streaming = served.submit(1000, streams=True)
    ended = crowd(served, MANY)[1]
    finish(ended)
    served.desk.emit([ended])
    streaming.certain = Certain((8,), ())
    served.desk.emit([streaming])
    assert [served.hear() for _ in range(2)] == [Ended.of(0, ended), Progressed(1000, (8,), ())]


def test_who_has_no_time_left_does_not_wait_for_others(served: Served) -> None:
    """A deadline that is near is kept."""
    crowd(served, MANY)
    finish(hurried := served.submit(1000))
    hurried.deadline = hurried.finished_at + 0.9 * HURRIED
    served.desk.emit([hurried])
    assert served.hear().number == 1000


def test_the_end_of_a_stream_does_not_wait_for_others(served: Served) -> None:
    """Its client hears of the last piece as of all before."""
    crowd(served, MANY)
    finish(streaming := served.submit(1000, streams=True))
    served.desk.emit([streaming])
    assert served.hear().number == 1000


def test_what_is_held_is_told_before_the_process_ends(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does where the engine has died, so that the server hears of that."""
    statuses: list[int] = []
    monkeypatch.setattr("os._exit", statuses.append)
    request = crowd(served, MANY)[0]
    finish(request)
    served.desk.emit([request])
    served.desk.abandon()
    assert served.hear().number == 0
    assert statuses == [1]


def test_what_is_held_is_told_before_the_end(served: Served) -> None:
    """Nothing is lost by it."""
    request = crowd(served, MANY)[0]
    finish(request)
    served.desk.emit([request])
    served.close()
    assert served.hear().number == 0


def test_only_one_thread_hands_over(served: Served) -> None:
    """A cancellation never comes before what it cancels: who finds another at work leaves it to that."""
    begun, go_on = threading.Event(), threading.Event()

    def begin(request: Request) -> None:
        begun.set()
        assert go_on.wait(20)

    served.core.taken = begin
    served.send(Submitted.of(5, make_request()))
    assert begun.wait(20)
    served.send(Cancelled(5))
    served.desk.fetch()
    assert served.core.cancelled == []
    served.core.taken = None
    go_on.set()
    served.settle()
    assert served.core.cancelled == served.core.submitted


def test_whoever_rings_wakes_who_waits_and_who_is_going_to(served: Served) -> None:
    """Nothing is handed over by it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        desk = Desk(theirs)
        desk.ring()
        desk.wait()
        waiting = threading.Thread(target=desk.wait)
        waiting.start()
        desk.ring()
        waiting.join(20)
        assert not waiting.is_alive()
        desk.close()


@pytest.mark.parametrize("unread", [False, True])
def test_a_server_that_is_gone_is_not_waited_for(unread: bool) -> None:
    """Its end is looked at once, also where it had not read all, and a bell still wakes."""
    ours, theirs = socket.socketpair()
    with theirs:
        desk = Desk(theirs)
        desk.open(NotedCore())
        if unread:
            theirs.send(b"news")
        ours.close()
        desk.wait()
        desk.fetch()
        desk.fetch()
        waiting = threading.Thread(target=desk.wait)
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive()
        desk.ring()
        waiting.join(20)
        assert not waiting.is_alive()
        with suppress(OSError):  # there is nobody to tell
            desk.close()


def test_what_was_said_before_the_end_is_read(served: Served) -> None:
    """Then comes the end of the stream."""
    request = served.submit(9)
    finish(request)
    served.desk.emit([request])
    served.close()
    assert served.hear().number == 9
    assert served.server.recv(1) == b""
