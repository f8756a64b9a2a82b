"""The CPU's runner steps few rows by as many threads as are faster, several steps at a time, which changes no bit."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from service.bundle import Bundle, read_bundle
from service.parts import GREEDY_ROLES
from service.request import Lane
from service.runner import FEW, MANY, OnnxRunner
from service.search.candidates import Choice
from tests.earlier_bundles import PARENTS, unpack
from tests.server_process import ROOT

SOURCES = [numpy.array([5, 6, 7, 8]), numpy.array([9, 10])]
GREEDY = Lane(64, 1, "step_greedy")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Read the bundle that ships."""
    return read_bundle(ROOT / "model_repository" / "en-de" / "1")


class Waits:
    """Run a session, and take longer for it."""

    def __init__(self, session: Any, seconds: float) -> None:
        self.session, self.seconds, self.runs = session, seconds, 0
        self.ids: list[numpy.ndarray] = []

    def run(self, names: list[str], feed: dict[str, Any]) -> Any:
        """Run it."""
        self.runs += 1
        self.ids.append(feed["previous_ids"])
        time.sleep(self.seconds)
        return self.session.run(names, feed)


@pytest.mark.parametrize("slow", ["one thread", "two threads"])
def test_the_faster_threads_are_found(bundle: Bundle, slow: str) -> None:
    """Where each step by one thread takes much longer, those of all take a part of that, and the other way round."""
    runner = OnnxRunner(bundle, "int8", 1)
    session = runner._steps["step_greedy"]
    one, two = (Waits(session, 0.01 if slow == name else 0.0) for name in ("one thread", "two threads"))
    runner._steps["step_greedy"] = one
    assert (runner._times({"step_greedy": two}, 2, 1) < 1) == (slow == "one thread")
    assert one.runs == two.runs > 10
    assert {len(ids) for ids in two.ids} == {2}
    assert {len(ids) for ids in one.ids} == {1}


def measured(few: float, many: float) -> Callable[..., float]:
    """Pretend that all threads take so many times what one takes, for one hypothesis and for all of both shards."""
    return lambda self, wide, rows, narrow_rows: few if rows == 1 else many


@pytest.mark.parametrize(
    ("few", "many", "shards", "together"),
    [(0.9, 1.1, 2, True), (1.1, 1.1, 2, True), (0.9, 1.6, 2, False), (0.9, 1.1, 4, False), (0.9, 1.1, 1, False)],
)
def test_rows_are_stepped_together_where_that_was_measured_to_be_faster(
    bundle: Bundle, few: float, many: float, shards: int, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few and many are decided one without the other; only two shards become one, but not beside rows of the other."""
    monkeypatch.setattr(OnnxRunner, "_times", measured(few, many))
    runner = OnnxRunner(bundle, "int8", 4, shards)
    assert runner.together == together
    beams = GREEDY._replace(width=FEW)
    for lane, rows, wide in (
        (GREEDY, 1, shards > 1 and few < 1),
        (GREEDY, FEW + 1, False),
        (GREEDY, MANY - 1, False),
        (beams, 1, together),  # another lane, which makes them as many as are
        (GREEDY._replace(shard=1), 1, False),
    ):
        added = range(runner._lanes[lane].rows if lane in runner._lanes else 0, rows)
        runner.admit(lane, runner.encode(SOURCES[:1] * len(added)), range(len(added)), added)
        for role, narrow in runner._steps.items():
            assert (runner._sessions(0)[role] is not narrow) == (wide and (role != "step_full" or lane == beams))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("count", [2, 30])
def test_as_many_threads_as_are_faster_give_the_same_bits(
    bundle: Bundle, precision: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the only shard that has any, by the threads of all and by their own, step after step."""
    found = []
    sources = [numpy.arange(5 + row, 9 + 2 * row) for row in range(count)]
    for times in (2.0, 0.5):
        monkeypatch.setattr(OnnxRunner, "_times", measured(times, times))
        runner = OnnxRunner(bundle, precision, 2, shards=2)
        assert runner.together == (times < 1)
        runner.admit(GREEDY, runner.encode(sources), range(count), range(count))
        ids = numpy.full((count, 1), 2)
        for _ in range(5):
            (step,) = runner.step(GREEDY, Choice(ids, None, None), alignment=False)
            assert step.log_probabilities is not None
            found.append(step.log_probabilities)
            ids = step.log_probabilities.argmax(-1)
    for narrow, together in zip(found[:5], found[5:], strict=True):
        numpy.testing.assert_array_equal(narrow, together)


def greedily(runner: OnnxRunner, lane: Lane, sources: list[numpy.ndarray], ahead: int, count: int) -> list[list[int]]:
    """Let rows say their best pieces, at least so many; gives those of each row."""
    runner.admit(lane, runner.encode(sources), range(len(sources)), range(len(sources)))
    said: list[numpy.ndarray] = []
    ids = numpy.full((len(sources), 1), 2)
    while len(said) < count:
        for step in runner.step(lane, Choice(ids, None, None), False, ahead):
            best = step.ids
            if best is None:
                assert step.log_probabilities is not None
                best = step.log_probabilities.argmax(-1, keepdims=True)
            ids = best[:, :, 0]
            said.append(ids[:, 0])
    return numpy.array(said).T.tolist()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_row_in_the_place_of_another_is_as_it_would_be_alone(bundle: Bundle, precision: str) -> None:
    """Whatever was in its row, beside a row that goes on: of a longer source, and after some steps."""
    runner = OnnxRunner(bundle, precision, 1)
    lane, alone = (Lane(64, 1, "step_greedy", alone=number) for number in (1, 2))
    stays, leaves, joins = numpy.arange(5, 14), numpy.arange(30, 60), SOURCES[0]
    expected = greedily(runner, alone, [joins], 1, 6)[0]
    greedily(runner, lane, [leaves, stays], 1, 3)
    runner.admit(lane, runner.encode([stays, joins]), [1], [0])
    ids = numpy.array([[2], [7]])
    for piece in expected:
        (step,) = runner.step(lane, Choice(ids, None, None), False)
        assert step.log_probabilities is not None
        ids = step.log_probabilities.argmax(-1)
        assert ids[0, 0] == piece


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_steps_ahead_are_the_same_steps(bundle: Bundle, precision: str) -> None:
    """Alone and with another row, which may end first; what a lane goes on from afterwards is the same as well."""
    for sources in (SOURCES[:1], SOURCES):
        runner = OnnxRunner(bundle, precision, 1)
        one, several = (Lane(64, 1, "step_greedy", alone=number) for number in (1, 2))
        singly, ahead = greedily(runner, one, sources, 1, 14), greedily(runner, several, sources, 8, 12)
        for row, other in zip(singly, ahead, strict=True):
            assert row[:12] == other[:12]


def test_greedy_steps_of_earlier_bundles_follow_parents(tmp_path: Path) -> None:
    """One by one and several ahead they say the same, with each hypothesis as its own parent."""
    earlier = read_bundle(unpack(PARENTS, tmp_path))
    for role in GREEDY_ROLES:
        assert "parents" in {tensor.name for tensor in earlier.manifest.graph(role).inputs}
    runner, lanes = OnnxRunner(earlier, "fp32", 1), [Lane(64, 1, "step_greedy", alone=number) for number in (1, 2)]
    singly, ahead = greedily(runner, lanes[0], SOURCES, 1, 14), greedily(runner, lanes[1], SOURCES, 8, 12)
    for row, other in zip(singly, ahead, strict=True):
        assert row[:12] == other[:12]


def test_as_many_steps_are_taken_as_the_rows_leave_time_for(bundle: Bundle) -> None:
    """Eight of all rows together, so that nobody who comes waits longer than for one step of many rows."""
    runner = OnnxRunner(bundle, "int8", 1)
    lane, other = GREEDY, Lane(128, 1, "step_greedy", shard=1)
    for rows, steps in ((1, 8), (2, 4), (3, 2), (4, 2), (5, 1), (8, 1)):
        runner.admit(lane, runner.encode([numpy.arange(5, 25)] * rows), range(rows), range(rows))
        choice = Choice(numpy.full((rows, 1), 2), None, None)
        assert len(runner.step(lane, choice, False, runner.ahead)) == steps
        assert len(runner.step(lane, choice, False, 3)) == min(3, steps)
        runner.compact(lane, [], [], 0)
    one = Choice(numpy.full((1, 1), 2), None, None)
    runner.admit(lane, runner.encode(SOURCES[:1]), [0], [0])
    (step,) = runner.step(lane, one, True, runner.ahead)
    assert step.alignment is not None
    runner.admit(other, runner.encode([SOURCES[0]] * 3), range(3), range(3))  # of another lane, and another thread
    assert len(runner.step(lane, one, False, runner.ahead)) == 2


def test_steps_end_with_the_last_hypothesis(bundle: Bundle) -> None:
    """Nothing is computed behind the end."""
    runner, lane = OnnxRunner(bundle, "int8", 1), Lane(64, 1, "step_greedy")
    runner.admit(lane, runner.encode(SOURCES[:1]), [0], [0])
    ids, taken = numpy.full((1, 1), 2), []
    while not taken or ids[0, 0] != bundle.manifest.special_ids.eos:
        steps = runner.step(lane, Choice(ids, None, None), False, runner.ahead)
        assert steps[-1].ids is not None
        ids = steps[-1].ids[:, :, 0]
        taken.append([int(step.ids[0, 0, 0]) for step in steps if step.ids is not None])
    assert all(bundle.manifest.special_ids.eos not in said[:-1] for said in taken)
    assert len(taken[-1]) <= runner.ahead


def test_a_model_without_numbers_is_noticed_ahead(bundle: Bundle) -> None:
    """As it is in single steps; whole numbers cannot be anything else."""
    runner, lane = OnnxRunner(bundle, "fp32", 1), Lane(64, 1, "step_greedy")
    runner.admit(lane, runner.encode(SOURCES[:1]), [0], [0])
    runner._lanes[lane]._state["hidden_0"][:] = numpy.nan
    with pytest.raises(ArithmeticError, match="NaN"):
        runner.step(lane, Choice(numpy.full((1, 1), 2), None, None), False, runner.ahead)
