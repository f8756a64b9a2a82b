"""Greedy decoding in PyTorch, which the served model is compared with."""

import pytest
import torch

from models.greedy import default_max_length, greedy, translate
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID
from tests.unit.models.factories import VOCABULARY, build, model_config, random_rows

pytestmark = pytest.mark.torch

SOURCES = random_rows([3, 1, 8, 5, 2, 8, 4, 6, 1, 7])
LONG = [12] * len(SOURCES)


# Weights with which some sentences end at once, some late and some never: (seed, what eos gets on top).
VARIED = {"rnn": (5, 1.0), "gru": (7, 1.0), "lstm": (1, 0.0)}


def _model(cell: str = "gru", eos_bias: float | None = None) -> Seq2Seq:
    """Build a model whose sentences end sooner or later, as `eos_bias` says."""
    seed, varied = VARIED[cell]
    model = build(model_config(cell=cell, conditional=True), seed=seed)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.mul_(2)  # so that the state moves
        model.output.bias[EOS_ID] += varied if eos_bias is None else eos_bias
    return model


@torch.no_grad()
def _plain(model: Seq2Seq, source: list[int], limit: int) -> list[int]:
    """Decode one sentence, word by word."""
    memory, state = model.encode(torch.tensor([source]), torch.tensor([len(source)]))
    words: list[int] = []
    previous = BOS_ID
    while len(words) < limit:
        logits, state, _ = model.step(torch.tensor([[previous]]), state, memory)
        previous = max(range(VOCABULARY), key=logits[0, 0].tolist().__getitem__)
        if previous == EOS_ID:
            break
        words.append(previous)
    return words


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_it_equals_a_plain_loop_over_each_sentence(cell: str) -> None:
    """A batch gives for each row the words of a loop that takes the best word, sentence by sentence."""
    model = _model(cell)
    rows = greedy(model, SOURCES, LONG)
    assert rows == [_plain(model, source, 12) for source in SOURCES]
    assert len({tuple(row) for row in rows}) > 3


def test_rows_end_at_eos_each_at_its_own_time() -> None:
    """Rows stop at eos, which is not part of them, at different lengths, before their limit."""
    lengths = {len(row) for row in greedy(_model(), SOURCES, LONG)}
    assert len(lengths) > 1
    assert min(lengths) < 12


def test_rows_stop_at_their_own_limits() -> None:
    """Without eos every row has exactly its limit of words, and the first ones of a longer limit."""
    model = _model(eos_bias=-1e9)
    limits = [i % 5 for i in range(len(SOURCES))]
    rows = greedy(model, SOURCES, limits)
    assert [len(row) for row in rows] == limits
    full = greedy(model, SOURCES, LONG)
    assert rows == [row[:limit] for row, limit in zip(full, limits, strict=True)]


def test_a_row_that_has_ended_does_not_hold_up_or_change_its_mates() -> None:
    """Rows are the same alone, in a batch, and in a batch of another order."""
    model = _model()
    rows = greedy(model, SOURCES, LONG)
    assert greedy(model, SOURCES[::-1], LONG) == rows[::-1]
    assert [greedy(model, [source], [12])[0] for source in SOURCES] == rows


def test_limits_of_zero_give_nothing() -> None:
    """A limit of 0 for everybody gives empty rows without a step."""
    assert greedy(_model(), SOURCES, [0] * len(SOURCES)) == [[] for _ in SOURCES]


def test_a_sentence_that_ends_at_once_is_empty() -> None:
    """A model whose best first word is eos gives empty rows."""
    assert greedy(_model(eos_bias=1e9), SOURCES, LONG) == [[] for _ in SOURCES]


def test_it_builds_no_graph_of_gradients() -> None:
    """Decoding leaves no gradients behind and works on a model that is being trained."""
    model = _model()
    greedy(model, SOURCES, LONG)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("batch_pieces", [1, 9, 16, 8000])
def test_translate_keeps_the_order_and_takes_the_default_limit(batch_pieces: int) -> None:
    """Any number of sources comes back in order, whatever the batches, empty ones as empty rows."""
    model = _model()
    sources = [[], *SOURCES[:4], [], *SOURCES[4:]]
    expected = [_plain(model, source, default_max_length(len(source))) if source else [] for source in sources]
    assert translate(model, sources, batch_pieces) == expected


def test_translate_nothing() -> None:
    """No sources give no rows."""
    assert translate(_model(), []) == []
    assert translate(_model(), [[]]) == [[]]


def test_the_default_limit_is_twice_the_source_and_ten() -> None:
    """The limit that the server uses, too."""
    assert [default_max_length(length) for length in (1, 5, 100)] == [12, 20, 210]
