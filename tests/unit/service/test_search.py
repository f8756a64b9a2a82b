"""Every way of searching, on a model that is a hash: what each option does, and that company changes nothing."""

from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.options import Sampling
from service.request import Request
from service.search.hypothesis import FinishReason, Hypothesis
from tests.factories import EOS, UNK, make_engine, make_request, run_dry, search_of
from tests.hashing_runner import VOCABULARY, HashingRunner

PIECES = st.integers(4, VOCABULARY - 1)
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "min_length": st.integers(0, 6),
    "repetition_penalty": st.sampled_from([0.5, 1.0, 1.5, 3.0]),
    "no_repeat_ngram_size": st.integers(0, 4),
    "repetition_guard": st.booleans(),
    "disable_unknown": st.booleans(),
    "suppressed": st.lists(st.lists(PIECES, min_size=1, max_size=3).map(tuple), max_size=4).map(tuple),
    "end_ids": st.lists(PIECES, max_size=2).map(tuple),
    "prefix": st.lists(PIECES, max_size=4).map(tuple),
    "length_penalty": st.sampled_from([0.0, 0.6, 1.0, 2.0]),
    "alignment": st.booleans(),
}
SAMPLING = st.builds(
    Sampling,
    st.sampled_from([0.3, 1.0, 2.0]),
    st.integers(0, 30),
    st.sampled_from([0.2, 0.9, 1.0]),
    st.integers(0, 2**64 - 1),
)


@st.composite
def searches(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a set of options that go together."""
    options: dict[str, Any] = draw(st.fixed_dictionaries({}, optional=OPTIONS))
    kind = draw(st.sampled_from(["greedy", "beam", "sampling", "alternatives"]))
    if kind == "beam":
        options["beam_size"] = draw(st.integers(2, 12))
        options["num_hypotheses"] = draw(st.integers(1, options["beam_size"]))
        options["patience"] = draw(st.sampled_from([0.5, 1.0, 2.0]))
        options["coverage_penalty"] = draw(st.sampled_from([0.0, 0.4]))
        options["prefix_bias"] = draw(st.sampled_from([0.0, 0.5])) if options.get("prefix") else 0.0
    elif kind != "greedy":
        options["num_hypotheses"] = draw(st.integers(1, 5))
        options["sampling"] = draw(SAMPLING) if kind == "sampling" else None
        options["alternatives"] = kind == "alternatives"
    return options | {"max_length": draw(st.integers(len(options.get("prefix", ())) or 1, 30))}


def decode(*requests: Request, slots: int = 64) -> None:
    """Run requests together to their ends."""
    engine, _ = make_engine(HashingRunner(), slots)
    for request in requests:
        engine.submit(request)
    run_dry(engine)


def search(*source: int, **options: Any) -> list[Hypothesis]:
    """Return the hypotheses of one request alone."""
    request = make_request(*source, **options)
    decode(request)
    assert request.error is None
    return request.hypotheses


def same(one: list[Hypothesis], other: list[Hypothesis]) -> None:
    """Check that hypotheses are equal to the last bit."""
    assert [h.ids for h in one] == [h.ids for h in other]
    for a, b in zip(one, other, strict=True):
        assert a.token_scores.tobytes() == b.token_scores.tobytes()
        assert (a.rank, a.log_probability, a.finish_reason) == (b.rank, b.log_probability, b.finish_reason)
        assert (a.alignment is None) == (b.alignment is None)
        assert a.alignment is None or b.alignment is None or a.alignment.tobytes() == b.alignment.tobytes()


@given(
    st.lists(st.tuples(searches(), st.lists(PIECES, min_size=1, max_size=20)), min_size=2, max_size=12),
    st.integers(12, 40),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60)
def test_company_changes_nothing(cases: list[tuple[dict[str, Any], list[int]]], slots: int, random: Any) -> None:
    """A result depends neither on who else is in flight, nor on when it joined, nor on the number of slots."""
    requests = [make_request(*source, **options) for options, source in cases]
    engine, _ = make_engine(HashingRunner(), slots)
    for request in requests:
        engine.submit(request)
        for _ in range(random.randrange(4)):
            engine.step()
    run_dry(engine)
    for request, (options, source) in zip(requests, cases, strict=True):
        same(request.hypotheses, search(*source, **options))


@given(searches(), st.lists(PIECES, min_size=1, max_size=12))
@settings(max_examples=150)
def test_hypotheses_keep_to_their_options(options: dict[str, Any], source: list[int]) -> None:
    """Whatever is asked for: lengths, forbidden pieces, ends, prefixes, order and alignments are as they should be."""
    found = search(*source, **options)
    ends, prefix = {EOS, *options.get("end_ids", ())}, options.get("prefix", ())
    assert 1 <= len(found) <= options.get("num_hypotheses", 1)
    if not any(options.get(name) for name in ("sampling", "repetition_guard", "end_ids")):
        assert len({h.ids for h in found}) == len(found)
    if not options.get("alternatives"):
        assert [h.rank for h in found] == sorted((h.rank for h in found), reverse=True)
    for h in found:
        ended = h.finish_reason in (FinishReason.EOS, FinishReason.END_TOKEN)
        assert len(h.token_scores) == len(h.ids) + ended
        assert h.log_probability == pytest.approx(h.token_scores.sum(dtype=float), abs=1e-4)
        assert len(h.ids) <= options["max_length"]
        assert not ends & set(h.ids[len(prefix) :])
        if options.get("alignment"):
            assert h.alignment is not None
            assert h.alignment.shape == (len(h.ids), len(source))
        if not options.get("prefix_bias"):
            assert h.ids[: len(prefix)] == prefix[: len(h.ids)]
        if h.finish_reason is FinishReason.LENGTH:
            assert len(h.ids) == options["max_length"]
        if options.get("disable_unknown"):
            assert UNK not in h.ids[len(prefix) :]
        for sequence in options.get("suppressed", ()):
            places = range(len(prefix), len(h.ids) - len(sequence) + 1)
            assert all(h.ids[i : i + len(sequence)] != sequence for i in places)


@given(searches(), st.lists(PIECES, min_size=1, max_size=12))
@settings(max_examples=50)
def test_a_beam_of_one_is_greedy(options: dict[str, Any], source: list[int]) -> None:
    """Beam search with a width of 1 finds what greedy search finds; a loop's first sign is the same."""
    for name in ("beam_size", "num_hypotheses", "sampling", "alternatives", "patience"):
        options.pop(name, None)
    greedy, beam = make_request(*source, **options), make_request(*source, **options)
    decode(greedy)
    engine, _ = make_engine(HashingRunner(), search=lambda lane: search_of(lane._replace(search="beam")))
    engine.submit(beam)
    run_dry(engine)
    same(beam.hypotheses, greedy.hypotheses)


def test_a_wider_beam_is_no_worse() -> None:
    """Beam search finds what greedy search finds, or better, on average by far."""
    gains = [search(5, i, beam_size=12)[0].rank - search(5, i)[0].rank for i in range(4, 24)]
    assert min(gains) > -0.5
    assert numpy.mean(gains) > 0.2


def test_the_best_of_n_is_the_best_alone() -> None:
    """Asking for more hypotheses keeps the first."""
    for i in range(4, 24):
        assert (
            search(i, beam_size=6, num_hypotheses=6, patience=3.0)[0].ids == search(i, beam_size=6, patience=3.0)[0].ids
        )


def test_seeds_decide() -> None:
    """A seed gives the same sample each time, and others give others."""
    drawn = [search(5, 6, sampling=Sampling(seed=seed))[0].ids for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3


def test_samples_follow_the_distribution() -> None:
    """A piece is drawn as often as it is probable."""
    samples = [
        h.ids[:1] or (EOS,)
        for seed in range(400)
        for h in search(5, num_hypotheses=5, max_length=1, sampling=Sampling(seed=seed))
    ]
    scores = {
        h.ids[:1] or (EOS,): float(h.token_scores[0]) for h in search(5, num_hypotheses=12, beam_size=12, max_length=1)
    }
    for piece, score in list(scores.items())[:3]:
        assert samples.count(piece) / len(samples) == pytest.approx(numpy.exp(score), abs=0.03)


def test_top_k_one_and_a_low_temperature_are_greedy() -> None:
    """Nothing but the best piece is left."""
    best = search(5, 6)[0].ids
    assert search(5, 6, sampling=Sampling(top_k=1))[0].ids == best
    assert search(5, 6, sampling=Sampling(temperature=0.001))[0].ids == best
    assert search(5, 6, sampling=Sampling(top_p=1e-6))[0].ids == best


def test_alternatives_part_once() -> None:
    """Each starts with another piece behind the prefix, the most probable first."""
    found = search(5, 6, num_hypotheses=5, alternatives=True, prefix=(7, 8))
    assert [h.ids[:2] for h in found] == [(7, 8)] * 5
    assert len({h.ids[2:3] for h in found}) == 5
    parting = [float(h.token_scores[2]) for h in found]
    assert parting == sorted(parting, reverse=True)
    least = float(numpy.exp(parting[2]))
    few = search(5, 6, num_hypotheses=5, alternatives=True, prefix=(7, 8), min_alternative_probability=least * 0.999)
    assert [h.ids for h in few] == [h.ids for h in found[:3]]


def test_alternatives_that_a_guard_cuts_leave_the_others() -> None:
    """Also where what is left of the first one ends before they part."""
    prefix = (9, *[7] * 8)
    options = {"num_hypotheses": 3, "alternatives": True, "prefix": prefix}
    source = next(source for source in range(4, 400) if search(source, **options)[0].ids[9:10] == (7,))
    first, *others = search(source, **options, repetition_guard=True)
    assert (first.ids, first.finish_reason) == (prefix[:2], FinishReason.REPETITION_GUARD)
    assert [h.ids[: len(prefix)] for h in others] == [prefix] * 2


def test_a_forced_target_is_scored() -> None:
    """A prefix that ends in eos gives every piece's log-probability."""
    best = search(5, 6)[0]
    (forced,) = search(5, 6, prefix=(*best.ids, EOS))
    same([forced], [best])


def test_everything_forbidden_leaves_the_end() -> None:
    """A hypothesis that may say nothing ends."""
    everything = tuple((piece,) for piece in range(VOCABULARY))
    for width in (1, 4):
        (found,) = search(5, beam_size=width, suppressed=everything)
        assert (found.ids, found.finish_reason) == ((), FinishReason.EOS)


def test_streamed_pieces_are_kept() -> None:
    """What is certain grows, and is how the best hypothesis begins."""
    for options in ({}, {"beam_size": 4}, {"beam_size": 4, "repetition_guard": True}, {"sampling": Sampling(seed=4)}):
        for source in range(4, 14):
            request = make_request(source, streams=True, **options)
            engine, _ = make_engine(HashingRunner())
            engine.submit(request)
            certain: tuple[int, ...] = ()
            while engine.scheduler.busy:
                engine.step()
                assert request.certain.ids[: len(certain)] == certain
                certain = request.certain.ids
            assert request.hypotheses[0].ids[: len(certain)] == certain


@given(st.lists(PIECES, min_size=1, max_size=12), st.integers(1, 30), st.booleans())
@settings(max_examples=100)
def test_scores_that_nobody_asked_for_change_nothing(source: list[int], longest: int, guarded: bool) -> None:
    """Greedy search by logits alone says the same, for the same reason, and gives no numbers that are not known."""
    options = {"max_length": longest, "repetition_guard": guarded}
    (scored,), (plain,) = search(*source, **options), search(*source, **options, scored=False)
    assert (plain.ids, plain.finish_reason, plain.steps) == (scored.ids, scored.finish_reason, scored.steps)
    assert numpy.isnan(plain.token_scores).all()
    assert numpy.isnan(plain.log_probability)
    assert numpy.isfinite(scored.token_scores).all()
