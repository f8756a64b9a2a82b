"""Lines of the access log wait for one another, but not for long, and each tells of its own moment."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from service import access
from service.access import PATIENCE, TOGETHER, AccessLog
from service.call import Call

TRANSLATE, CHECK = "/seq2serve.v1.TranslationService/Translate", "/grpc.health.v1.Health/Check"


@dataclass
class Lines:
    """Stand for structlog's logger at level info."""

    written: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def is_enabled_for(self, level: int) -> bool:
        """Tell whether a level is logged."""
        return level >= logging.INFO

    def log(self, level: int, event: str, **facts: Any) -> None:
        """Take note."""
        self.written.append((level, facts))


@dataclass
class Timers:
    """Stand for an event loop, and for each of its timers."""

    set: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> "Timers":
        """Take note."""
        self.set.append((seconds, callback))
        return self

    def cancel(self) -> None:
        """Forget all timers."""
        self.set.clear()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    """Return what is written."""
    found = Lines()
    monkeypatch.setattr(access, "access", found)
    return found


def make_log() -> tuple[AccessLog, Timers]:
    timers = Timers()
    return AccessLog(cast(asyncio.AbstractEventLoop, timers)), timers


def test_lines_wait_for_a_moment(lines: Lines) -> None:
    """One timer for all of them, which says when each call ended, and not when it was written."""
    log, timers = make_log()
    before = datetime.now(UTC)
    for number in range(3):
        log.note(Call(f"id-{number}", TRANSLATE, "ipv4:127.0.0.1:5", model="en-de/1"), "OK", 0.0123)
    after = datetime.now(UTC)
    assert lines.written == []
    ((seconds, flush),) = timers.set
    assert seconds == PATIENCE
    flush()
    assert [facts["id"] for _, facts in lines.written] == ["id-0", "id-1", "id-2"]
    level, facts = lines.written[0]
    assert (level, facts["total_ms"], facts["model"], facts["code"]) == (logging.INFO, 12.3, "en-de/1", "OK")
    assert before <= datetime.fromisoformat(facts["timestamp"]) <= after
    flush()
    assert len(lines.written) == 3


def test_many_lines_do_not_wait(lines: Lines) -> None:
    """So that writing them never holds the event loop up for long."""
    log, timers = make_log()
    for number in range(TOGETHER):
        log.note(Call(str(number), TRANSLATE, "peer"), "OK", 0.01)
    assert (len(lines.written), timers.set) == (TOGETHER, [])
    log.note(Call("one more", TRANSLATE, "peer"), "OK", 0.01)
    assert (len(lines.written), len(timers.set)) == (TOGETHER, 1)


def test_no_line_is_lost_when_the_loop_ends(lines: Lines) -> None:
    """Nor one of a call that ends even later."""
    log, _ = make_log()
    for name in ("before", "after"):
        log.note(Call(name, TRANSLATE, "peer"), "OK", 0.01)
        log.close()
    log.note(Call("last", TRANSLATE, "peer"), "CANCELLED", 0.01)
    assert [facts["id"] for _, facts in lines.written] == ["before", "after", "last"]


def test_what_is_not_logged_is_not_kept(lines: Lines) -> None:
    """Probes are of no interest at level info."""
    log, timers = make_log()
    log.note(Call("id", CHECK, "peer"), "OK", 0.01)
    log.flush()
    assert (lines.written, timers.set) == ([], [])
