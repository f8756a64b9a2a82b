"""Curves of throughput and latency: what was measured is told in full, and drawn the same each time."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping

import pytest

from benchmarks.curve_points import HEAD, Points
from benchmarks.row import Row
from benchmarks.systems import OURS

PEER = "Python server, batches of <= 64 & more"  # a name that a picture has to escape
WHITE = "fill: #ffffff"
Draw = Callable[[Mapping[str, Mapping[int, Row]]], bytes]


def row(rate: float, p95: float | None = 0.25) -> Row:
    return Row(rate, None, 10 * rate, p95 and p95 / 2, p95, p95 and 2 * p95, None, 1.0, None, 0)


@pytest.fixture
def points() -> Points:
    """Stand where two systems were measured, ours in three runs and at two numbers in flight."""
    found = Points("4 sentences of a/b.txt")
    for rate in (9.0, 10.0, 20.0):
        found.add(OURS, 1, row(rate, 0.01 * rate))
        found.add(OURS, 128, row(10 * rate))
    found.add(PEER, 1, row(3.0))
    return found


@pytest.fixture
def draw() -> Draw:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (make check installs it)")
    from benchmarks.curve_plot import draw

    return draw


def texts(svg: bytes) -> list[str | None]:
    return [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_table_has_a_line_for_each_point(points: Points) -> None:
    """Rates are medians of the runs, and latencies are in milliseconds."""
    head, _, *lines = points.table().splitlines()

    assert cells(head) == list(HEAD)
    assert [cells(line) for line in lines] == [
        [OURS, "1", "10", "50", "100", "200", "0"],
        [OURS, "128", "100", "125", "250", "500", "0"],
        [PEER, "1", "3", "125", "250", "500", "0"],
    ]


def test_a_table_tells_what_was_never_answered() -> None:
    """A point without any reply has no latency, and is still there."""
    points = Points("")
    points.add(PEER, 8, row(0.0, None))

    assert cells(points.table().splitlines()[-1]) == [PEER, "8", "0", "-", "-", "-", "0"]


def test_points_survive_their_file(points: Points) -> None:
    """What was measured can be drawn again, each run of it."""
    assert Points.from_json(points.to_json()) == points


def test_a_drawing_is_the_same_each_time(points: Points, draw: Draw) -> None:
    """The same points give the same bytes, without a date, even where somebody has another style."""
    import matplotlib

    first = draw(points.medians())
    with matplotlib.rc_context({"figure.facecolor": "black", "font.size": 30, "svg.hashsalt": None}):
        assert draw(points.medians()) == first
    assert b"date" not in first


def test_a_drawing_names_each_system(points: Points, draw: Draw) -> None:
    """Names are text, and so are our numbers in flight, at our line alone."""
    found = texts(draw(points.medians()))

    assert [found.count(name) for name in (OURS, PEER)] == [1, 1]
    assert found.count("128") == 1
    del points.rows[OURS]
    assert "128" not in texts(draw(points.medians()))


def test_a_drawing_is_white_behind_everything(points: Points, draw: Draw) -> None:
    """The first thing drawn covers the whole picture, so that it is legible on a dark page."""
    svg = draw(points.medians()).decode()

    assert WHITE in svg[: svg.index('<g id="axes_1">')]


def test_a_point_without_replies_is_not_drawn(points: Points, draw: Draw) -> None:
    """It has no latency: the line is that of the others, or empty, and the system is named all the same."""
    without = draw(points.medians())
    points.add(PEER, 8, row(0.0, None))
    assert draw(points.medians()) == without
    points.rows[PEER] = {8: [row(0.0, None)]}
    assert PEER in texts(draw(points.medians()))
