"""Steps that are only measured compute what the served one does."""

from pathlib import Path
from typing import Any

import numpy
import pytest

from benchmarks.lever_graphs import Step, follow, open_graph, take, trace_step, write_step, write_unrolled
from benchmarks.levers import best_of_own, make_feed
from models.config import ModelConfig
from service.parts import FP32, INT8
from tests.unit.export.factories import SIZES

pytestmark = pytest.mark.torch

VOCABULARY, ROWS, STEPS = 46, 16, 6
SHORTLIST = numpy.array([3, 4, 9, 10, 30, 45])


@pytest.fixture(scope="module", params=[FP32, INT8])
def step(request: pytest.FixtureRequest) -> Step:
    """Trace a small model of the kind that ships."""
    return trace_step(ModelConfig.model_validate({**SIZES, "conditional": True}), VOCABULARY, request.param)


@pytest.fixture
def feed(step: Step) -> dict[str, Any]:
    """Make the inputs of a few rows."""
    return make_feed(step, VOCABULARY, ROWS)


@pytest.fixture
def whole(step: Step, tmp_path: Path) -> Path:
    """Write the step as it is served."""
    write_step(step, step.layer, tmp_path / "whole.onnx")
    return tmp_path / "whole.onnx"


@pytest.mark.parametrize("given", [True, False])
def test_shortlist_gives_the_whole_layer_s_logits(step: Step, feed: dict[str, Any], whole: Path, given: bool) -> None:
    """Its columns hold what the same pieces have there, whether they are inputs or constants."""
    columns = take(step.layer, VOCABULARY, SHORTLIST)
    write_step(step, None if given else columns, whole.with_name("short.onnx"))
    (expected,) = open_graph(whole, 1).run(["logits"], feed)
    (found,) = open_graph(whole.with_name("short.onnx"), 1).run(["logits"], feed | columns if given else feed)
    assert found.shape == (ROWS, 1, len(SHORTLIST))
    assert found == pytest.approx(expected[..., SHORTLIST], abs=1e-5)


def test_steps_in_one_call_give_the_pieces_of_single_steps(step: Step, feed: dict[str, Any], whole: Path) -> None:
    """Each feeds its best pieces and its states to the next."""
    write_unrolled(whole, step.state, STEPS, whole.with_name("unrolled.onnx"))
    expected = follow(open_graph(whole, 1), feed, step.state, STEPS)
    *found, _ = open_graph(whole.with_name("unrolled.onnx"), 1).run(None, feed)
    assert numpy.array_equal(found, expected)
    assert len(numpy.unique(found)) > STEPS


def test_best_piece_is_one_of_the_row_s_own() -> None:
    """What another row brought into the shortlist is not chosen, however good it is."""
    logits = numpy.array([[1, 2, 3], [1, 2, 3]], numpy.float32)
    masks = numpy.array([[0, 0, -numpy.inf], [-numpy.inf, 0, 0]], numpy.float32)
    assert best_of_own(logits, masks).tolist() == [1, 2]
