import io
import itertools
import threading

import pytest

from seq2serve.commands.lines import _LOOKAHEAD, MAX_LINE_BYTES, Line, in_order, read_lines


class Done:
    """A request that is answered at once."""

    def add_done_callback(self, callback) -> None:
        callback()


def test_only_newlines_end_a_line() -> None:
    source = io.BytesIO("a\r\n\n b \x0b\u2028c\nlast".encode())
    assert list(read_lines(source)) == [
        Line(1, "a"),
        Line(2, ""),
        Line(3, " b \x0b\u2028c"),
        Line(4, "last"),
    ]


def test_a_line_that_is_not_utf8_fails_alone() -> None:
    first, bad, last = read_lines(io.BytesIO(b"a\nb\xffc\nd\n"))
    assert (first.text, last.text) == ("a", "d")
    assert bad == Line(2, "", "not UTF-8 at byte 2")


@pytest.mark.parametrize("length", [MAX_LINE_BYTES, 3 * MAX_LINE_BYTES, 3 * MAX_LINE_BYTES + 1])
def test_a_line_without_end_fails_alone(length: int) -> None:
    long, after = read_lines(io.BytesIO(b"x" * length + b"\nafter"))
    assert "longer than" in long.problem
    assert after == Line(2, "after")


def test_the_longest_line_that_fits() -> None:
    fits, after = read_lines(io.BytesIO(b"x" * (MAX_LINE_BYTES - 1) + b"\nafter"))
    assert (len(fits.text), fits.problem, after.text) == (MAX_LINE_BYTES - 1, "", "after")


def test_a_result_comes_while_the_next_line_is_being_typed() -> None:
    seen = threading.Event()

    def typing():
        yield Line(1, "a")
        assert seen.wait(30)
        yield Line(2, "b")

    results = in_order(typing(), lambda _: Done(), in_flight=4)
    assert next(results)[0].number == 1
    seen.set()
    assert next(results)[0].number == 2


def test_endless_input_is_read_only_a_little_ahead() -> None:
    read = itertools.count(1)
    latest = 0

    def endless():
        nonlocal latest
        for latest in read:
            yield Line(latest, "a")

    for line, _ in itertools.islice(in_order(endless(), lambda _: Done(), 4), 500):
        # One more is held by the reader, one is being handed over.
        assert latest <= line.number + 4 * _LOOKAHEAD + 2


def test_blank_and_broken_lines_send_nothing() -> None:
    lines = [Line(1, ""), Line(2, " \t"), Line(3, "", "broken")]
    assert list(in_order(lines, pytest.fail, in_flight=1)) == [(line, None) for line in lines]


def test_a_failing_input_is_raised_after_what_came_before() -> None:
    def failing():
        yield Line(1, "a")
        raise OSError("the disk is gone")

    results = in_order(failing(), lambda _: Done(), in_flight=1)
    assert next(results)[0].number == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)
