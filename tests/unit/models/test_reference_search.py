"""The reference that the server's search is held against is itself right: brute force, and examples by hand."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy
import pytest
import torch
from numpy.typing import NDArray

from models import greedy
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID, UNK_ID
from service.options import Sampling, SearchOptions
from service.search.uniform import uniform
from tests.reference_search import Hypothesis, adjusted, alternative, decode, drawn, looped
from tests.unit.models.factories import build, model_config, random_rows

pytestmark = pytest.mark.torch

A, B = 4, 5  # the two pieces of a vocabulary of six that are not special
SOURCE = [4, 5, 5, 4, 1]
NEVER = 1e-30
Allowed = Callable[[tuple[int, ...]], bool]


def unigram(eos: float, a: float, b: float, unknown: float = NEVER) -> Seq2Seq:
    """Build a model that gives every piece the same probability at every step."""
    model = build(vocabulary=6)
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.tensor([NEVER, unknown, NEVER, eos, a, b]).log())
    return model


def log(*probabilities: float) -> NDArray[numpy.float64]:
    """Make log-probabilities of the pieces pad, unk, bos, eos, A, B."""
    return numpy.array([math.log(one) for one in probabilities])


def everything(model: Seq2Seq, options: SearchOptions, allowed: Allowed) -> list[Hypothesis]:
    """Score every hypothesis there is, best first; `allowed` is told its pieces, the one that ends it included."""
    ends = {EOS_ID, *options.end_ids}
    going_on = [piece for piece in range(6) if piece not in ends]
    found = []
    for length in range(options.max_length + 1):
        for ids in itertools.product(going_on, repeat=length):
            for end in ([end] for end in ends) if length < options.max_length else ([],):
                if allowed((*ids, *end)):
                    found.append(scored(model, ids, end, options))
    return sorted(found, key=lambda hypothesis: -hypothesis.score)


@torch.no_grad()
def scored(model: Seq2Seq, ids: Sequence[int], end: list[int], options: SearchOptions) -> Hypothesis:
    """Read one hypothesis word by word."""
    memory, state = model.encode(torch.tensor([SOURCE]), torch.tensor([len(SOURCE)]))
    pieces, scores, attention = [*ids, *end], [], []
    for previous, piece in zip([BOS_ID, *pieces], pieces, strict=False):
        logits, state, weights = model.step(torch.tensor([[previous]]), state, memory)
        scores.append(float(logits[0, 0].log_softmax(-1)[piece]))
        attention.append(weights[0, 0].double().numpy())
    seen = [min(sum(float(row[j]) for row in attention), 1) for j in range(len(SOURCE))]
    coverage = options.coverage_penalty * sum(math.log(one) for one in seen)
    score = sum(scores) / ((5 + len(pieces)) / 6) ** options.length_penalty + coverage
    reason = "length" if not end else "eos" if end == [EOS_ID] else "end_token"
    return Hypothesis(tuple(ids), tuple(scores), sum(scores), score, reason, numpy.array(attention[: len(ids)]))


def no_bigram_twice(pieces: tuple[int, ...]) -> bool:
    bigrams = list(itertools.pairwise(pieces))
    return len(set(bigrams)) == len(bigrams)


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({}, lambda pieces: True),
        ({"length_penalty": 0.0}, lambda pieces: True),
        ({"length_penalty": 2.5}, lambda pieces: True),
        ({"coverage_penalty": 0.7}, lambda pieces: True),
        ({"end_ids": (A, UNK_ID)}, lambda pieces: True),
        ({"min_length": 2}, lambda pieces: len(pieces) > 2),
        ({"min_length": 1, "end_ids": (B,)}, lambda pieces: len(pieces) > 1),
        ({"disable_unknown": True}, lambda pieces: UNK_ID not in pieces),
        ({"no_repeat_ngram_size": 1}, lambda pieces: len(set(pieces)) == len(pieces)),
        ({"no_repeat_ngram_size": 2}, no_bigram_twice),
        ({"suppressed": ((A,), (B, B))}, lambda pieces: A not in pieces and (B, B) not in itertools.pairwise(pieces)),
        ({"suppressed": ((0, A, B),)}, lambda pieces: pieces[:3] != (0, A, B)),
        ({"prefix": (B, A)}, lambda pieces: pieces[:2] == (B, A)),
        ({"prefix": (B, EOS_ID)}, lambda pieces: pieces == (B, EOS_ID)),
        ({"min_length": 1, "coverage_penalty": 0.2, "length_penalty": 0.6}, lambda pieces: len(pieces) > 1),
    ],
)
def test_beam_wider_than_the_space_finds_all(changes: dict[str, Any], allowed: Allowed) -> None:
    """A beam that drops nothing returns the best of all hypotheses, in their order."""
    model = build(model_config(conditional=True), vocabulary=6)
    options = SearchOptions(**{"max_length": 3, "beam_size": 2000, "num_hypotheses": 30, **changes})
    expected = everything(model, options, allowed)[:30]
    found = decode(model, SOURCE, options)
    assert [(one.ids, one.finish_reason) for one in found] == [(one.ids, one.finish_reason) for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-5)
        assert one.token_scores == pytest.approx(other.token_scores, abs=1e-5)
        assert one.alignment == pytest.approx(other.alignment, abs=1e-6) if one.ids else not one.alignment.size


@pytest.mark.parametrize("seed", range(4))
def test_greedy_is_that_of_validation(seed: int) -> None:
    """Without options the words are those of models.greedy."""
    model = build(seed=seed)
    for source in random_rows([1, 3, 7, 12], seed=seed):
        (found,) = decode(model, source, SearchOptions(max_length=9))
        assert [list(found.ids)] == greedy.greedy(model, [source], [9])
        assert found.finish_reason == ("length" if len(found.ids) == len(found.token_scores) else "eos")
        assert found.alignment.shape == (len(found.ids), len(source))


def test_beam_keeps_its_width_beside_what_ends() -> None:
    """An ending among the first W finishes and as many others go on; of equals the earlier hypothesis is first."""
    model = unigram(eos=0.5, a=0.3, b=0.2)
    options: dict[str, Any] = {"max_length": 5, "beam_size": 2, "num_hypotheses": 2, "length_penalty": 0.0}
    assert [one.ids for one in decode(model, SOURCE, SearchOptions(**options))] == [(), (A,)]
    # Step 1 finishes A and B; of step 2 AA (.09), AB (.06, before BA) are live, and finish at step 3.
    patient = decode(model, SOURCE, SearchOptions(**{**options, "patience": 2, "length_penalty": 10.0}))
    assert [one.ids for one in patient] == [(A, A), (A, B)]
    assert [math.exp(one.log_probability) for one in patient] == pytest.approx([0.045, 0.03])


def test_ending_below_the_width_does_not_finish() -> None:
    """An ending counts only among the first W continuations."""
    model = unigram(eos=0.1, a=0.5, b=0.4)
    found = decode(model, SOURCE, SearchOptions(max_length=2, beam_size=2, num_hypotheses=2))
    assert [(one.ids, one.finish_reason) for one in found] == [((A, A), "length"), ((A, B), "length")]
    found = decode(model, SOURCE, SearchOptions(max_length=2, beam_size=3, num_hypotheses=3, length_penalty=0))
    assert [one.ids for one in found] == [(A, A), (A, B), (B, A)]


def test_repeated_pieces_are_penalized() -> None:
    """The log-probability of every piece that is there already is multiplied once."""
    raw = log(0.1, 0.1, 0.1, 0.1, 0.2, 0.4)
    s = adjusted(raw, (B, A, B), SearchOptions(9, repetition_penalty=1.5))
    assert s == pytest.approx(log(0.1, 0.1, 0.1, 0.1, 0.2**1.5, 0.4**1.5))
    assert adjusted(raw, (), SearchOptions(9, repetition_penalty=1.5)) == pytest.approx(raw)


@pytest.mark.parametrize(
    ("y", "n", "banned"),
    [
        ((), 1, set()),
        ((A, B), 1, {A, B}),
        ((A, B, A), 2, {B}),
        ((A, A), 2, {A}),
        ((A, B, A, 0, A), 2, {B, 0}),
        ((A, B, 0, A, B), 3, {0}),
        ((A, B), 3, set()),
        ((A, B, A), 4, set()),
    ],
)
def test_ngrams_come_once(y: tuple[int, ...], n: int, banned: set[int]) -> None:
    """A piece that would complete an n-gram a second time is impossible."""
    raw = log(0.1, 0.1, 0.1, 0.1, 0.2, 0.4)
    s = adjusted(raw, y, SearchOptions(9, no_repeat_ngram_size=n))
    assert set(numpy.flatnonzero(numpy.isinf(s)).tolist()) == banned


def test_sequences_are_suppressed_where_they_would_be_completed() -> None:
    """The last piece of a sequence is impossible behind the others, and only there."""
    raw, options = log(0.1, 0.1, 0.1, 0.1, 0.2, 0.4), SearchOptions(9, suppressed=((B,), (A, 0), (B, A, 1)))
    for y, banned in (((), {B}), ((A,), {B, 0}), ((B, A), {B, 0, 1}), ((A, B), {B})):
        assert set(numpy.flatnonzero(numpy.isinf(adjusted(raw, y, options))).tolist()) == banned


def test_ends_wait_for_the_least_length() -> None:
    """No piece that ends is possible before `min_length`; where nothing else is, the end symbol is."""
    raw = log(0.1, 0.1, 0.1, 0.1, 0.2, 0.4)
    s = adjusted(raw, (0,), SearchOptions(9, min_length=2, end_ids=(A,)))
    assert set(numpy.flatnonzero(numpy.isinf(s)).tolist()) == {EOS_ID, A}
    assert adjusted(raw, (0, 0), SearchOptions(9, min_length=2, end_ids=(A,))) == pytest.approx(raw)
    s = adjusted(raw, (), SearchOptions(9, min_length=2, suppressed=tuple((piece,) for piece in range(6))))
    assert s.tolist() == [-math.inf] * 3 + [raw[EOS_ID]] + [-math.inf] * 2


def test_forced_prefix_overrules_all() -> None:
    """A forced piece has its own log-probability, whatever forbids it."""
    raw = log(0.1, 0.1, 0.1, 0.1, 0.2, 0.4)
    forbidden: dict[str, Any] = {
        "min_length": 5,
        "suppressed": ((UNK_ID,),),
        "disable_unknown": True,
        "repetition_penalty": 2.0,
    }
    for t, piece in enumerate((UNK_ID, UNK_ID, EOS_ID)):
        s = adjusted(raw, (UNK_ID,) * t, SearchOptions(9, prefix=(UNK_ID, UNK_ID, EOS_ID), **forbidden))
        assert numpy.flatnonzero(numpy.isfinite(s)).tolist() == [piece]
        assert s[piece] == raw[piece]


def test_bias_pulls_to_the_prefix() -> None:
    """The prefix's piece gets a share of the probability as long as the hypothesis follows it."""
    raw, options = log(0.1, 0.1, 0.1, 0.1, 0.2, 0.4), SearchOptions(9, prefix=(A, A), prefix_bias=0.25)
    biased = log(0.075, 0.075, 0.075, 0.075, 0.4, 0.3)
    assert adjusted(raw, (), options) == pytest.approx(biased)
    assert adjusted(raw, (A,), options) == pytest.approx(biased)
    assert adjusted(raw, (B,), options) == pytest.approx(raw)
    assert adjusted(raw, (A, A), options) == pytest.approx(raw)
    banned = SearchOptions(9, prefix=(A,), prefix_bias=0.25, suppressed=((A,),))
    assert math.exp(adjusted(raw, (), banned)[A]) == pytest.approx(0.25)


def test_draws_invert_the_distribution_function() -> None:
    """The piece is the first whose cumulative probability exceeds the number drawn for its place."""
    s, sampling = log(0.1, 0.2, NEVER, 0.1, 0.2, 0.4), Sampling(seed=2**64 - 3)
    below = [0.1, 0.3, 0.3, 0.4, 0.6, 1.0]
    counts = [0] * 6
    for t in range(3000):
        place = [numpy.array([part], numpy.uint64) for part in (sampling.seed, 7, t)]
        piece = drawn(s, sampling, 7, t)
        assert piece == next(v for v in range(6) if uniform(*place)[0] < below[v])
        counts[piece] += 1
    assert [count / 3000 for count in counts] == pytest.approx([0.1, 0.2, 0, 0.1, 0.2, 0.4], abs=0.03)


@pytest.mark.parametrize(
    ("changes", "shares"),
    [
        ({"top_k": 1}, {B: 1.0}),
        ({"top_k": 2}, {1: 0.25, A: 0.25, B: 0.5}),  # two are equally the second
        ({"top_p": 0.4}, {B: 1.0}),
        ({"top_p": 0.5}, {1: 0.25, A: 0.25, B: 0.5}),
        ({"top_p": 0.85}, {0: 0.1, 1: 0.2, 3: 0.1, A: 0.2, B: 0.4}),
        ({"temperature": 0.5, "top_k": 3}, {1: 1 / 6, A: 1 / 6, B: 4 / 6}),
        ({"temperature": 0.5, "top_k": 3, "top_p": 0.6}, {B: 1.0}),
    ],
)
def test_draws_keep_to_the_best(changes: dict[str, Any], shares: dict[int, float]) -> None:
    """Only the best pieces are drawn, ties with the last included; the probabilities are those after tempering."""
    s = log(0.1, 0.2, NEVER, 0.1, 0.2, 0.4)
    pieces = [drawn(s, Sampling(seed=1, **changes), w, t) for w in range(10) for t in range(200)]
    assert {piece: pieces.count(piece) / 2000 for piece in set(pieces)} == pytest.approx(shares, abs=0.03)


def test_samples_are_independent_and_ranked() -> None:
    """Each hypothesis has numbers of its own, and the result is sorted; another seed gives another result."""
    model = unigram(eos=0.2, a=0.5, b=0.3)
    options = [SearchOptions(8, num_hypotheses=6, sampling=Sampling(seed=seed)) for seed in (1, 1, 2)]
    first, again, other = ([one.ids for one in decode(model, SOURCE, one)] for one in options)
    assert first == again != other
    assert len(set(first)) > 1
    scores = [one.score for one in decode(model, SOURCE, options[0])]
    assert scores == sorted(scores, reverse=True)


def test_alternatives_part_behind_the_prefix() -> None:
    """Each hypothesis takes another piece at the first free position and the best ones behind it."""
    model = unigram(eos=0.2, a=0.5, b=0.3)
    options: dict[str, Any] = {"max_length": 4, "num_hypotheses": 6, "alternatives": True}
    found = decode(model, SOURCE, SearchOptions(**options, prefix=(B,)))
    assert [one.ids for one in found[:3]] == [(B, A, A, A), (B, B, A, A), (B,)]
    likely = decode(model, SOURCE, SearchOptions(**options, min_alternative_probability=0.25))
    assert [one.ids for one in likely] == [(A, A, A, A), (B, A, A, A)]
    (best,) = decode(model, SOURCE, SearchOptions(**options, min_alternative_probability=1.0))
    assert best.ids == (A, A, A, A)


def test_impossible_piece_is_no_alternative() -> None:
    """There are no more alternatives than pieces that are possible."""
    assert alternative(numpy.array([-math.inf, -1.0, -math.inf, -2.0]), 0.0, 1) == 3
    assert alternative(numpy.array([-math.inf, -1.0, -math.inf, -2.0]), 0.0, 2) is None


@pytest.mark.parametrize(
    ("y", "run"),
    [
        ("", 0),
        ("aaaaaaaa", 0),
        ("aaaaaaaaa", 8),
        ("xaaaaaaaaaa", 9),
        ("abababab" + "a", 0),
        ("abababab" + "ab", 8),
        ("xx" + "abc" * 4, 9),
        ("xx" + "abc" * 3 + "ab", 0),
        ("ab" * 4 + "a" * 9, 8),
        ("abcdefgh" * 4, 24),
        ("abcdefgh" * 3 + "abcdefg", 0),
        ("abcdefghi" * 5, 0),
    ],
)
def test_loops_are_counted(y: str, run: int) -> None:
    """A loop is at least 8 pieces, and 3 periods, behind its first period; no period is longer than 8."""
    assert looped(tuple(map(ord, y))) == run


def test_loop_is_cut_off() -> None:
    """One period stays; token scores and alignment are of what is returned, the rank is of all that was searched."""
    model = unigram(eos=0.1, a=0.6, b=0.3)
    (found,) = decode(model, SOURCE, SearchOptions(40, repetition_guard=True, prefix=(B, B)))
    assert (found.ids, found.finish_reason) == ((B, B, A), "repetition_guard")
    assert found.log_probability == pytest.approx(math.log(0.3 * 0.3 * 0.6), abs=1e-5)
    assert found.score == pytest.approx(math.log(0.3**2 * 0.6**9) / (16 / 6), abs=1e-5)
    assert len(found.token_scores) == len(found.alignment) == 3
    (whole,) = decode(model, SOURCE, SearchOptions(11, prefix=(B, B)))
    assert (whole.ids, whole.finish_reason) == ((B, B, *[A] * 9), "length")
    (bounded,) = decode(model, SOURCE, SearchOptions(11, repetition_guard=True, prefix=(B, B)))
    assert bounded.finish_reason == "repetition_guard"


def test_beam_goes_on_without_what_loops() -> None:
    """A looping hypothesis finishes, and the others live on."""
    model = unigram(eos=1e-9, a=0.6, b=0.4)
    options = SearchOptions(12, beam_size=2, num_hypotheses=2, repetition_guard=True, length_penalty=0.0)
    reasons = {one.ids: one.finish_reason for one in decode(model, SOURCE, options)}
    assert reasons[(A,)] == "repetition_guard"
