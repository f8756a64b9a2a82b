"""Samples and alternatives of real translations: what decides them, and what they are drawn from."""

import math
from typing import Any

import pytest

from seq2serve import Client

GARDEN = "The children were playing in the garden when the rain began to fall."
COMPANY = [f"Number {i} on the list is waiting for an answer from the office." for i in range(12)]
SAMPLING: tuple[dict[str, Any], ...] = (
    {"temperature": 1.0},
    {"temperature": 0.7, "num_hypotheses": 3},
    {"top_k": 5},
    {"top_p": 0.9},
    {"temperature": 1.3, "top_k": 40, "top_p": 0.95, "num_hypotheses": 2, "repetition_penalty": 1.2},
)


def ids_of(client: Client, **options: Any) -> list[tuple[int, ...]]:
    """Return the pieces of all hypotheses."""
    return [hypothesis.token_ids for hypothesis in client.translate(GARDEN, tokens=True, **options).hypotheses]


@pytest.mark.parametrize("options", SAMPLING)
def test_seed_decides_a_sample_in_any_company(client: Client, options: dict[str, Any]) -> None:
    """The same seed draws the same pieces alone and among others; other seeds draw others."""
    drawn = [client.translate(GARDEN, tokens=True, seed=seed, **options).hypotheses for seed in range(4)]
    assert len({str([h.token_ids for h in hypotheses]) for hypotheses in drawn}) > 1
    company = [client.submit(text, temperature=1.0, num_hypotheses=2) for text in COMPANY]
    again = [client.submit(GARDEN, tokens=True, seed=seed, **options) for seed in range(4)]
    assert [pending.result().hypotheses for pending in again] == drawn
    assert len({pending.result().seed for pending in company}) == len(company)


SEVERAL = {"text": f" {GARDEN} {GARDEN}", "split_sentences": True}  # a part before the first sentence has no pieces


@pytest.mark.parametrize("options", [{"text": GARDEN, **options} for options in SAMPLING] + [SEVERAL | {"top_k": 5}])
def test_seed_is_told(client: Client, options: dict[str, Any]) -> None:
    """Without a seed the server draws one, with which the same sample is had again."""
    first = client.translate(tokens=True, **options)
    assert first.seed is not None
    again = client.translate(tokens=True, seed=first.seed, **options)
    assert (again.seed, again.hypotheses) == (first.seed, first.hypotheses)


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0001}, {"top_p": 0.001}, {"top_k": 1}, {"top_k": 2, "top_p": 0.001}]
)
def test_narrow_sampling_is_greedy(client: Client, options: dict[str, Any]) -> None:
    """Where only the best piece is left to draw, the result is that of greedy search."""
    assert ids_of(client, **options) == ids_of(client)


def test_top_k_draws_among_the_best(client: Client) -> None:
    """The first pieces of many samples are the k best, and more of them without a bound."""
    best = {ids[0] for ids in ids_of(client, return_alternatives=True, num_hypotheses=3)}

    def firsts(top_k: int) -> set[int]:
        options: dict[str, Any] = {"temperature": 3.0, "top_k": top_k, "num_hypotheses": 12, "max_length": 1}
        return {ids[0] for seed in range(4) for ids in ids_of(client, seed=seed, **options)}

    assert firsts(3) == best
    assert len(firsts(0)) > 10


@pytest.mark.parametrize("prefix", [(), ("▁Die",)])
def test_alternatives_differ_in_one_piece(client: Client, prefix: tuple[str, ...]) -> None:
    """They share the prefix, then take different pieces, the most probable first, and go on greedily."""
    reply = client.translate(
        GARDEN, return_alternatives=True, num_hypotheses=6, target_prefix_tokens=prefix, tokens=True, token_scores=True
    )
    place = len(prefix)
    assert all(hypothesis.tokens[:place] == prefix for hypothesis in reply.hypotheses)
    assert len({hypothesis.tokens[place] for hypothesis in reply.hypotheses}) == 6
    probabilities = [math.exp(hypothesis.token_scores[place]) for hypothesis in reply.hypotheses]
    assert probabilities == sorted(probabilities, reverse=True)
    for hypothesis in reply.hypotheses:
        alone = client.translate(GARDEN, target_prefix_tokens=hypothesis.tokens[: place + 1], tokens=True)
        assert alone.hypotheses[0].token_ids == hypothesis.token_ids
    least = (probabilities[1] + probabilities[2]) / 2
    options: dict[str, Any] = {"return_alternatives": True, "num_hypotheses": 6, "target_prefix_tokens": prefix}
    for bound, left in ((least, 2), (1.0, 1)):
        likely = client.translate(GARDEN, tokens=True, min_alternative_probability=bound, **options)
        assert [h.token_ids for h in likely.hypotheses] == [h.token_ids for h in reply.hypotheses[:left]]
