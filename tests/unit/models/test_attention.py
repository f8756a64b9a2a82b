"""Additive attention against its equation, and padding that gets no weight."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from models.attention import ATTENTIONS, AdditiveAttention, Memory
from models.config import ModelConfig

pytestmark = pytest.mark.torch

QUERY, MEMORY, SIZE = 3, 5, 4
LENGTHS = torch.tensor([6, 1, 0, 4])


def _attention() -> AdditiveAttention:
    torch.manual_seed(3)
    return AdditiveAttention(QUERY, MEMORY, SIZE)


def _inputs(attention: AdditiveAttention, hypotheses: int = 2) -> tuple[Tensor, Memory]:
    values = torch.randn(len(LENGTHS), 6, MEMORY)
    return torch.randn(len(LENGTHS), hypotheses, QUERY), attention.project(values, LENGTHS)


def test_weights_are_a_distribution_over_the_words_of_the_sentence() -> None:
    """Weights are positive, sum to one, and are exactly zero beyond the length, however far."""
    attention = _attention()
    _, weights = attention(*_inputs(attention))
    torch.testing.assert_close(weights.sum(-1), torch.ones(len(LENGTHS), 2))
    for row, length in enumerate(LENGTHS.tolist()):
        if length:
            assert (weights[row, :, :length] > 0).all()
            assert not weights[row, :, length:].any()


def test_an_empty_slot_gives_uniform_weights_and_finite_contexts() -> None:
    """A length of 0 spreads the weight evenly and stays finite."""
    attention = _attention()
    query, memory = _inputs(attention)
    contexts, weights = attention(query, memory)
    empty = LENGTHS.tolist().index(0)
    torch.testing.assert_close(weights[empty], torch.full((2, 6), 1 / 6))
    assert contexts.isfinite().all()
    torch.testing.assert_close(contexts[empty], memory.values[empty].mean(0).expand(2, -1))


def test_it_equals_the_papers_equation_word_by_word() -> None:
    """Contexts and weights equal A.1.2 of the paper, e_ij = v . tanh(W s + U h_j), written with plain numbers."""
    attention = _attention()
    query, memory = _inputs(attention)
    contexts, weights = attention(query, memory)
    w, v = attention.query.weight.tolist(), attention.energy.weight[0].tolist()
    u, bias = attention.key.weight.tolist(), attention.key.bias.tolist()
    for b, length in enumerate(LENGTHS.tolist()):
        for i in range(query.shape[1] if length else 0):
            s = query[b, i].tolist()
            energies = []
            for j in range(length):
                h = memory.values[b, j].tolist()
                energies.append(
                    sum(
                        v[a]
                        * math.tanh(
                            sum(w[a][k] * s[k] for k in range(QUERY))
                            + sum(u[a][k] * h[k] for k in range(MEMORY))
                            + bias[a]
                        )
                        for a in range(SIZE)
                    )
                )
            total = sum(math.exp(energy) for energy in energies)
            alpha = [math.exp(energy) / total for energy in energies]
            context = [sum(alpha[j] * memory.values[b, j, k].item() for j in range(length)) for k in range(MEMORY)]
            torch.testing.assert_close(weights[b, i, :length], torch.tensor(alpha))
            torch.testing.assert_close(contexts[b, i], torch.tensor(context))


def test_more_padding_changes_nothing() -> None:
    """A wider rectangle, whatever stands in it, leaves the contexts and weights of real words as they are."""
    attention = _attention()
    query, memory = _inputs(attention)
    contexts, weights = attention(query, memory)
    garbage = torch.full((len(LENGTHS), 3, MEMORY), 1e4)
    wider = attention.project(torch.cat([memory.values, garbage], dim=1), LENGTHS)
    more_contexts, more_weights = attention(query, wider)
    real = LENGTHS > 0
    assert not more_weights[real][:, :, 6:].any()
    torch.testing.assert_close(more_weights[real][:, :, :6], weights[real])
    torch.testing.assert_close(more_contexts[real], contexts[real])


def test_padding_gets_no_gradient() -> None:
    """No gradient reaches memory positions beyond the length."""
    attention = _attention()
    values = torch.randn(2, 4, MEMORY, requires_grad=True)
    contexts, _ = attention(torch.randn(2, 1, QUERY), attention.project(values, torch.tensor([4, 2])))
    contexts.square().sum().backward()
    assert values.grad is not None
    assert values.grad[0].all()
    assert not values.grad[1, 2:].any()


def test_extreme_energies_stay_finite_and_masked() -> None:
    """Energies of a hundred times the usual size give finite weights, still exactly zero on padding."""
    attention = _attention()
    with torch.no_grad():
        attention.energy.weight.mul_(100)
    contexts, weights = attention(*_inputs(attention))
    assert contexts.isfinite().all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(len(LENGTHS), 2))
    assert not weights[1, :, 1:].any()


def test_every_attention_of_the_recipe_exists() -> None:
    """Whatever a recipe may name as its attention can be built."""
    fixed = {"fixed-initial", "fixed-every-step"}
    assert set(get_args(ModelConfig.model_fields["context"].annotation)) == set(ATTENTIONS) | fixed
