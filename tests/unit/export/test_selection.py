"""A beam's choice inside of a graph against the search that chooses outside."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import onnx_ir
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.tokenizer import EOS_ID
from service.parts import Tensor
from service.search.beam import Beam
from service.search.candidates import Step
from service.search.search import Symbols
from tests.factories import make_request

pytestmark = pytest.mark.torch
ROWS, CANDIDATES = 3, 5
Array = NDArray[Any]
Select = Callable[[Array, Array, Array], list[Array]]


@pytest.fixture(scope="module")
def select(tmp_path_factory: pytest.TempPathFactory) -> Select:
    """Write the choice as a graph of its own; gives ids, parents and totals."""
    from torch import Tensor as Numbers
    from torch import nn

    from export.graphs import go_on
    from export.trace import trace

    class Choice(nn.Module):
        def forward(self, *tensors: Numbers) -> tuple[Numbers, ...]:
            return go_on(*tensors)

    def tensor(name: str, kind: str, *shape: Any) -> Tensor:
        return Tensor.model_validate({"name": name, "type": kind, "shape": ("B", "W", *shape)})

    totals, ids = tensor("totals", "float64"), tensor("ids", "int64", CANDIDATES)
    outputs = tensor("next_ids", "int64"), tensor("next_parents", "int64"), tensor("next_totals", "float64")
    model, _ = trace(Choice(), (totals, ids, tensor("log_probabilities", "float32", CANDIDATES)), outputs)
    path = tmp_path_factory.mktemp("selection") / "choice.onnx"
    onnx_ir.save(model, path)
    session = onnxruntime.InferenceSession(Path(path), providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in outputs]

    def run(*given: Array) -> list[Array]:
        feed = dict(zip(("totals", "ids", "log_probabilities"), given, strict=True))
        found: list[Array] = session.run(names, feed)
        return found

    return run


@st.composite
def beams(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Draw totals (B, W), some of hypotheses that are over, and candidates (B, W, C), best first, with many ties."""
    width = draw(st.integers(1, CANDIDATES - 1))  # of which one may be the end
    random = numpy.random.default_rng(draw(st.integers(0, 2**32)))
    few = draw(st.integers(1, 6))  # different numbers
    totals = -random.integers(0, few, (ROWS, width)).astype(float)
    totals[random.random((ROWS, width)) < draw(st.sampled_from([0, 0.5]))] = -numpy.inf
    pieces = numpy.arange(EOS_ID, EOS_ID + CANDIDATES + draw(st.integers(0, 5)))
    ids = random.permuted(numpy.tile(pieces, (ROWS, width, 1)), axis=-1)[:, :, :CANDIDATES]
    scores = -numpy.sort(random.integers(0, few, ids.shape), axis=-1) / numpy.float32(few)
    return totals, ids, scores.astype(numpy.float32)


@settings(max_examples=300)
@given(drawn=beams())
def test_graph_goes_on_as_the_search_does(select: Select, drawn: tuple[Array, Array, Array]) -> None:
    """Of the hypotheses that are alive everything is the same, ties too, and the others are dead in both."""
    totals, ids, log_probabilities = drawn
    beam = Beam(Symbols(1, 2, EOS_ID), totals.shape[1], 40, constrained=False)
    requests = [make_request(beam_size=totals.shape[1]) for _ in range(ROWS)]
    for row, request in enumerate(requests):
        request.row = row
    beam.join(requests)
    beam.choice.totals[:] = totals  # type: ignore[index]
    beam.select(Step(log_probabilities, ids))
    following, parents, sums = select(totals, ids, log_probabilities)
    expected = beam.choice
    assert expected.totals is not None
    assert expected.parents is not None
    assert numpy.array_equal(sums, expected.totals)
    alive = sums > -numpy.inf
    assert numpy.array_equal(following[alive], expected.ids[alive])
    assert numpy.array_equal(parents[alive], expected.parents[alive])
    assert ((parents >= 0) & (parents < totals.shape[1])).all()
