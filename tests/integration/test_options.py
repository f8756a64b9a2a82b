"""Each option of the search does to real translations what docs/decoding.md says."""

import math
from itertools import pairwise
from typing import Any

import pytest

from seq2serve import Client, Hypothesis, Tokens

GARDEN = "The children were playing in the garden when the rain began to fall."
BEANS = "The gardener planted three rows of beans behind the old barn last week."
NO = "No, no, no, no, no, no, no, no, no, no, no!"  # makes the model loop
CITY = "The city of 東京 is large."  # makes it say the unknown symbol


def rank(hypothesis: Hypothesis, length_penalty: float) -> float:
    """Rank an ended hypothesis by its length-normalized log-probability, as GNMT does."""
    assert hypothesis.log_probability is not None
    length = len(hypothesis.token_ids) + 1
    return hypothesis.log_probability / math.pow((5 + length) / 6, length_penalty)


def holds(ids: tuple[int, ...], sequence: tuple[int, ...]) -> bool:
    """Tell whether a sequence stands somewhere in `ids`."""
    return any(ids[i : i + len(sequence)] == sequence for i in range(len(ids)))


def ids_of(client: Client, text: str, **options: Any) -> list[tuple[int, ...]]:
    """Return the pieces of all hypotheses."""
    return [hypothesis.token_ids for hypothesis in client.translate(text, tokens=True, **options).hypotheses]


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("beam_size", [5, 12])
def test_beam_returns_distinct_hypotheses_by_rank(client: Client, beam_size: int, length_penalty: float) -> None:
    """All hypotheses of a beam differ, and a better rank comes first."""
    found = client.translate(
        BEANS, beam_size=beam_size, num_hypotheses=beam_size, length_penalty=length_penalty, tokens=True, scores=True
    ).hypotheses
    assert len(found) == len({hypothesis.token_ids for hypothesis in found}) == beam_size
    assert all(hypothesis.finish_reason == "eos" for hypothesis in found)
    for better, worse in pairwise(rank(hypothesis, length_penalty) for hypothesis in found):
        assert better >= worse - 1e-5


def test_fewer_hypotheses_are_the_first_of_many(client: Client) -> None:
    """How many hypotheses are returned does not change which come first."""
    first = ids_of(client, BEANS, beam_size=5, patience=4.0, num_hypotheses=5)
    assert ids_of(client, BEANS, beam_size=5, patience=4.0) == first[:1]
    assert ids_of(client, BEANS, beam_size=5, patience=4.0, num_hypotheses=3) == first[:3]


def test_wider_beam_finds_what_is_more_probable(client: Client) -> None:
    """A beam finds a translation of a higher rank than greedy search does."""
    greedy, wide = (
        client.translate(BEANS, beam_size=width, scores=True, tokens=True).hypotheses[0] for width in (1, 5)
    )
    assert rank(wide, 1.0) > rank(greedy, 1.0)


def test_length_penalty_prefers_longer(client: Client) -> None:
    """A greater exponent picks a longer translation."""
    (short,) = ids_of(client, BEANS, beam_size=12, length_penalty=0.0)
    (long,) = ids_of(client, BEANS, beam_size=12, length_penalty=3.0)
    assert len(short) < len(long)


def test_patience_searches_on(client: Client) -> None:
    """More patience takes more steps, and finds nothing worse."""
    replies = [
        client.translate(BEANS, beam_size=5, patience=patience, scores=True, tokens=True)
        for patience in (0.2, 1.0, 4.0)
    ]
    steps = [reply.timing.decode_steps for reply in replies if reply.timing]
    assert steps[0] < steps[1] < steps[2]
    ranks = [rank(reply.hypotheses[0], 1.0) for reply in replies]
    assert ranks[0] < ranks[2]
    assert ranks == sorted(ranks)


def test_coverage_penalty_prefers_what_covers_the_source(client: Client) -> None:
    """Of the same finished hypotheses it picks one that attends to more of the source."""

    def best(coverage_penalty: float) -> tuple[str, float]:
        reply = client.translate(
            BEANS, beam_size=5, coverage_penalty=coverage_penalty,
            alignment="soft_sparse", alignment_unit="piece", alignment_min_weight=0.0,
        )  # fmt: skip
        attended = [0.0] * len(reply.source_tokens)
        for link in reply.hypotheses[0].alignment:
            attended[link.source] += link.weight
        return reply.text, sum(math.log(min(1.0, weight)) for weight in attended)

    (plain, covered), (other, covered_more) = best(0.0), best(1.0)
    assert plain != other
    assert covered_more > covered


@pytest.mark.parametrize(
    ("options", "least", "most", "reason"),
    [
        ({}, 15, 15, "eos"),
        ({"min_length": 25}, 25, 38, "eos"),
        ({"min_length": 25, "beam_size": 4}, 25, 38, "eos"),
        ({"min_length": 4, "max_length": 4}, 4, 4, "length"),
        ({"max_length": 1}, 1, 1, "length"),
        ({"max_length": 4, "beam_size": 4}, 4, 4, "length"),
        ({"max_length_ratio": 0.5, "max_length_offset": 0}, 7, 7, "length"),
        ({"max_length_ratio": 0.5, "max_length_offset": 1}, 8, 8, "length"),
        ({"max_length_ratio": 0.01}, 11, 11, "length"),
        ({"max_length_ratio": 0.01, "max_length": 3}, 3, 3, "length"),
    ],
)
def test_length_is_bounded(client: Client, options: dict[str, Any], least: int, most: int, reason: str) -> None:
    """The 14 pieces of the source get as many as the bounds say, and a notice where the text was cut."""
    reply = client.translate(GARDEN, tokens=True, **options)
    assert reply.usage.source_tokens == 14
    assert least <= len(reply.hypotheses[0].token_ids) <= most
    assert reply.hypotheses[0].finish_reason == reason
    assert [notice.reason for notice in reply.warnings] == (["length_limit"] if reason == "length" else [])


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_ngram_is_repeated(client: Client, size: int, beam_size: int) -> None:
    """No sequence of so many pieces comes twice, though without the option it does."""

    def ngrams(ids: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [ids[i : i + size] for i in range(len(ids) - size + 1)]

    (plain,) = ids_of(client, NO)
    assert len(set(ngrams(plain))) < len(ngrams(plain))
    for ids in ids_of(client, NO, no_repeat_ngram_size=size, beam_size=beam_size, num_hypotheses=beam_size):
        assert len(set(ngrams(ids))) == len(ngrams(ids)) > 0


def test_repetition_penalty_repeats_less(client: Client) -> None:
    """More than 1 makes pieces that were said less likely."""
    repeats = []
    for penalty in (1.0, 2.0, 10.0):
        (ids,) = ids_of(client, NO, repetition_penalty=penalty)
        repeats.append(len(ids) - len(set(ids)))
    assert repeats[0] > repeats[1] > repeats[2]


def test_repetition_guard_cuts_a_loop(client: Client) -> None:
    """The loop is cut, what stays is how the translation began, and the reply says so."""
    plain = client.translate(NO)
    guarded = client.translate(NO, repetition_guard=True)
    assert guarded.hypotheses[0].finish_reason == "repetition_guard"
    assert [notice.reason for notice in guarded.warnings] == ["repetition_guard"]
    assert plain.text.startswith(guarded.text)
    assert len(guarded.text) < len(plain.text)
    assert client.translate(GARDEN, repetition_guard=True).text == client.translate(GARDEN).text


def test_unknown_symbol_can_be_disabled(client: Client) -> None:
    """It is said without the option, and never with it."""
    assert "<unk>" in client.translate(CITY, tokens=True).hypotheses[0].tokens
    for hypothesis in client.translate(
        CITY, tokens=True, disable_unknown=True, beam_size=5, num_hypotheses=5
    ).hypotheses:
        assert "<unk>" not in hypothesis.tokens


@pytest.mark.parametrize("beam_size", [1, 5])
def test_suppressed_sequences_are_absent(client: Client, beam_size: int) -> None:
    """Sequences of one or more pieces that the model would say are not said."""
    best = client.translate(GARDEN, beam_size=beam_size, tokens=True).hypotheses[0]
    sequences = (best.tokens[1:2], best.tokens[3:6])
    suppressed = best.token_ids[1:2], best.token_ids[3:6]
    for ids in ids_of(client, GARDEN, beam_size=beam_size, num_hypotheses=beam_size, suppress_sequences=sequences):
        assert not any(holds(ids, sequence) for sequence in suppressed)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_end_token_ends(client: Client, beam_size: int) -> None:
    """The piece ends the hypothesis, is scored, and is not part of it."""
    reply = client.translate(GARDEN, beam_size=beam_size, end_tokens=[",", "▁als"], tokens=True, token_scores=True)
    best = reply.hypotheses[0]
    assert best.finish_reason == "end_token"
    assert not {",", "▁als"} & set(best.tokens)
    assert len(best.token_scores) == len(best.token_ids) + 1
    assert client.translate(GARDEN).text.startswith(best.text)
    assert not reply.warnings


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beam_size": 4, "num_hypotheses": 4},
        {"temperature": 1.0, "seed": 5, "num_hypotheses": 3},
        {"return_alternatives": True, "num_hypotheses": 3},
        {"suppress_sequences": [["▁Als"]], "no_repeat_ngram_size": 1},
    ],
)
def test_target_prefix_starts_every_hypothesis(client: Client, options: dict[str, Any]) -> None:
    """Text and pieces force the same beginning, whatever else is asked for."""
    by_text = client.translate(GARDEN, target_prefix="Als es", tokens=True, **options)
    assert all(hypothesis.text.startswith("Als es") for hypothesis in by_text.hypotheses)
    pieces = client.translate(GARDEN, target_prefix_tokens=["▁Als", "▁es"], tokens=True, **options)
    assert pieces.hypotheses == by_text.hypotheses


def test_biased_prefix_pulls(client: Client) -> None:
    """A small bias changes nothing, a great one wins."""
    plain = client.translate(GARDEN).text
    assert client.translate(GARDEN, target_prefix="Im Garten", prefix_bias=0.05).text == plain
    assert client.translate(GARDEN, target_prefix="Im Garten", prefix_bias=0.95).text.startswith("Im Garten")


def test_tokens_as_source_are_the_text_s_pieces(client: Client) -> None:
    """The pieces that a reply names translate as the text does."""
    reply = client.translate(GARDEN, tokens=True, scores=True)
    again = client.translate(Tokens(reply.source_tokens), tokens=True, scores=True)
    assert again.hypotheses == reply.hypotheses
