"""The CPU's runner steps few rows by as many threads as are faster, which changes no bit."""

import time
from typing import Any

import numpy
import pytest

from service.bundle import Bundle, read_bundle
from service.request import Lane
from service.runner import OnnxRunner
from service.search.candidates import Choice
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

    def run(self, *arguments: Any) -> Any:
        """Run it."""
        self.runs += 1
        time.sleep(self.seconds)
        return self.session.run(*arguments)


@pytest.mark.parametrize("slow", ["one thread", "two threads"])
def test_the_faster_threads_are_found(bundle: Bundle, slow: str) -> None:
    """Where each step by one thread takes much longer, those of all are taken, and the other way round."""
    runner = OnnxRunner(bundle, "int8", 1)
    session = runner._steps["step_greedy"]
    one, two = (Waits(session, 0.01 if slow == name else 0.0) for name in ("one thread", "two threads"))
    runner._steps["step_greedy"] = one
    assert runner._is_faster({"step_greedy": two}) == (slow == "one thread")
    assert one.runs == two.runs > 10


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_as_many_threads_as_are_faster_give_the_same_bits(
    bundle: Bundle, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the only shard that has any, by the threads of all and by their own, step after step."""
    found = []
    for wide in (False, True):
        monkeypatch.setattr(OnnxRunner, "_is_faster", lambda self, sessions, wide=wide: wide)
        runner = OnnxRunner(bundle, precision, 2, shards=2)
        assert (runner._wide_steps["step_greedy"] is not runner._steps["step_greedy"]) == wide
        runner.admit(GREEDY, runner.encode(SOURCES), [0, 1])
        ids = numpy.full((2, 1), 2)
        for _ in range(5):
            (step,) = runner.step(GREEDY, Choice(ids, None, None), alignment=False)
            assert step.log_probabilities is not None
            found.append(step.log_probabilities)
            ids = step.log_probabilities.argmax(-1)
    for narrow, together in zip(found[:5], found[5:], strict=True):
        numpy.testing.assert_array_equal(narrow, together)
