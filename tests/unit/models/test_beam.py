"""Beam search in PyTorch, and the ensembles that it asks."""

from typing import Any

import pytest
import torch

from models.beam import search
from models.ensemble import Ensemble
from models.greedy import greedy
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID
from service.options import SearchOptions
from tests.reference_search import decode
from tests.unit.models.factories import build, model_config, random_rows

pytestmark = pytest.mark.torch

SOURCES = random_rows([3, 1, 8, 5, 2, 8, 4, 6, 1, 7])
LIMITS = [12, 2, 9, 12, 1, 12, 12, 5, 12, 12]


def _model(seed: int = 7, eos_bias: float = 1.0, **changes: Any) -> Seq2Seq:
    """Build a model whose sentences end sooner or later."""
    model = build(model_config(**{"cell": "gru", "conditional": True, **changes}), seed=seed)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.mul_(2)  # so that the state moves
        model.output.bias[EOS_ID] += eos_bias
    return model


FIXED = {"context": "fixed-every-step", "conditional": False, "eos_bias": 3.0}


@pytest.mark.parametrize("changes", [{}, {"cell": "lstm"}, {"source_end": True}, FIXED])
def test_one_hypothesis_of_one_model_is_greedy(changes: dict[str, Any]) -> None:
    """A beam of one takes the best word at every step, and stops where greedy decoding does."""
    model = _model(**changes)
    expected = greedy(model, SOURCES, LIMITS)
    assert search(Ensemble([model]), SOURCES, LIMITS, 1) == expected
    assert any(len(row) == limit for row, limit in zip(expected, LIMITS, strict=True))
    assert any(len(row) < limit for row, limit in zip(expected, LIMITS, strict=True))


@pytest.mark.parametrize("width", [2, 3, 5])
def test_beams_end_with_what_the_reference_search_finds(width: int) -> None:
    """Where hypotheses end before the limit, the best of W is what the slow search of one sentence returns."""
    model = _model(eos_bias=2.0)
    found = search(Ensemble([model]), SOURCES, [30] * len(SOURCES), width)
    options = SearchOptions(30, beam_size=width)
    expected = [list(decode(model, source, options)[0].ids) for source in SOURCES]
    assert found == expected
    assert found != greedy(model, SOURCES, [30] * len(SOURCES))


def test_two_of_the_same_model_say_what_one_says() -> None:
    """An average of equal distributions is the distribution."""
    model = _model()
    assert search(Ensemble([model, model]), SOURCES, LIMITS, 3) == search(Ensemble([model]), SOURCES, LIMITS, 3)


@torch.no_grad()
def test_an_ensemble_averages_probabilities() -> None:
    """What models of different sizes say of a word is the mean of their probabilities, not of their logarithms."""
    models = [_model(1), _model(2, decoder_hidden_size=9), _model(3, cell="lstm")]
    source, lengths, words = torch.tensor([[4, 5, 6]]), torch.tensor([3]), torch.tensor([[BOS_ID, 7]])
    ensemble = Ensemble(models)
    memories, states = ensemble.encode(source, lengths)
    states = [tuple(tensor.repeat(1, 2, 1) for tensor in state) for state in states]
    scores, following = ensemble.step(words, states, memories)
    alone = []
    for model, memory, state, after in zip(models, memories, states, following, strict=True):
        logits, expected, _ = model.step(words, state, memory)
        alone.append(torch.softmax(logits, -1))
        assert all(map(torch.equal, after, expected))
    torch.testing.assert_close(scores.exp(), sum(alone) / 3)
