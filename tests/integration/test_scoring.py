"""Score: how probable a given translation is."""

import math
from typing import Any

import pytest

from seq2serve import Client, Tokens

SENTENCE = "The children were playing in the garden when the rain began to fall."
SOURCES = [
    SENTENCE,
    "It is late.",
    "My uncle, who lived in Spain for ten years, now sells old books in a small shop by the station.",
    "The city of 東京 is large.",
]
SEARCHES: tuple[dict[str, Any], ...] = (
    {},
    {"beam_size": 5, "num_hypotheses": 3},
    {"temperature": 1.0, "seed": 9, "num_hypotheses": 2},
    {"repetition_penalty": 2.0, "target_prefix": "Das"},
)


@pytest.mark.parametrize("options", SEARCHES)
@pytest.mark.parametrize("source", SOURCES)
def test_score_is_that_of_the_search(client: Client, source: str, options: dict[str, Any]) -> None:
    """What a search found has the same scores when it is given, to the end symbol."""
    reply = client.translate(source, tokens=True, scores=True, token_scores=True, **options)
    for hypothesis in reply.hypotheses:
        assert hypothesis.finish_reason == "eos"
        scored = client.score(source, Tokens(hypothesis.tokens), tokens=True, token_scores=True)
        assert scored.hypothesis.finish_reason == "eos"
        assert scored.hypothesis.token_ids == hypothesis.token_ids
        assert scored.hypothesis.text == hypothesis.text
        assert len(scored.token_scores) == len(hypothesis.token_ids) + 1
        assert scored.token_scores == pytest.approx(hypothesis.token_scores, rel=1e-5, abs=1e-5)
        assert scored.log_probability == pytest.approx(hypothesis.log_probability, rel=1e-5)
        assert scored.score == pytest.approx(hypothesis.score, rel=1e-5)
        assert scored.log_probability == pytest.approx(sum(scored.token_scores), abs=1e-4)


def test_greedy_and_score_agree_to_the_bit(client: Client) -> None:
    """Where both take the same graph, nothing differs; the least length makes the search take it."""
    (best,) = client.translate(SENTENCE, tokens=True, token_scores=True, min_length=1).hypotheses
    assert client.score(SENTENCE, Tokens(best.tokens), token_scores=True).token_scores == best.token_scores


def test_target_text_is_its_pieces(client: Client) -> None:
    """A text scores as the pieces that it is cut into, which come back; source pieces as the source's text."""
    by_text = client.score(SENTENCE, "Die Kinder spielten im Garten, als es regnete.", tokens=True)
    pieces = client.score(Tokens(by_text.source_tokens), Tokens(by_text.hypothesis.tokens), tokens=True)
    assert by_text.hypothesis.text == "Die Kinder spielten im Garten, als es regnete."
    assert pieces.hypothesis == by_text.hypothesis
    assert by_text.usage.target_tokens == len(by_text.hypothesis.token_ids) > 0


def test_score_is_of_what_was_given(client: Client) -> None:
    """The probability of each piece depends on the given ones before it alone, and the end is scored too."""
    long = client.score(SENTENCE, "Die Kinder spielten im Garten, als es regnete.", token_scores=True)
    short = client.score(SENTENCE, "Die Kinder spielten im Garten", token_scores=True)
    pieces = len(short.token_scores) - 1
    assert short.token_scores[:pieces] == pytest.approx(long.token_scores[:pieces], abs=1e-5)
    assert short.token_scores[-1] < math.log(0.5)  # the model would have said more


def test_empty_target_is_the_end_symbol_alone(client: Client) -> None:
    """Nothing at all can be scored, and is improbable."""
    nothing = client.score(SENTENCE, "", token_scores=True)
    assert len(nothing.token_scores) == 1
    assert nothing.hypothesis.text == ""
    assert nothing.log_probability == nothing.score == nothing.token_scores[0] < -3


def test_worse_translations_score_lower(client: Client) -> None:
    """From right over wrong to unrelated the scores fall."""
    targets = (
        "Die Kinder spielten im Garten, als der Regen begann.",
        "Die Kinder spielten im Garten, als die Suppe begann.",
        "Suppe die Garten Kinder im begann der spielten als.",
        "Meine Katze schläft auf dem Sofa.",
    )
    scores = [client.score(SENTENCE, target).score for target in targets]
    assert scores[0] > scores[1] > max(scores[2:])


@pytest.mark.parametrize("options", [{"alignment_unit": "word"}, {"alignment_unit": "piece"}])
def test_given_target_is_aligned(client: Client, options: dict[str, Any]) -> None:
    """The links of a given target are those that the search gives for it."""
    found = client.translate(SENTENCE, tokens=True, alignment="soft_sparse", **options)
    (best,) = found.hypotheses
    scored = client.score(SENTENCE, best.text, tokens=True, alignment="soft_sparse", **options)
    assert (scored.source_words, scored.source_tokens) == (found.source_words, found.source_tokens)
    assert scored.hypothesis.words == best.words
    assert [link[:2] for link in scored.hypothesis.alignment] == [link[:2] for link in best.alignment]
    weights = [link.weight for link in scored.hypothesis.alignment]
    assert weights == pytest.approx([link.weight for link in best.alignment], abs=1e-5)


def test_other_target_aligns_to_its_own_words(client: Client) -> None:
    """A target that the model would not say is aligned word by word too."""
    scored = client.score(SENTENCE, "Die Kinder waren im Garten, als der Regen kam.", alignment="hard")
    pairs = {
        (scored.source_words[link.source].text, scored.hypothesis.words[link.target].text)
        for link in scored.hypothesis.alignment
    }
    assert pairs >= {("children", "Kinder"), ("garden", "Garten"), ("when", "als"), ("rain", "Regen"), ("fall", "kam")}


def test_truncated_source_is_scored_as_its_beginning(client: Client) -> None:
    """`truncate` holds for scoring too."""
    text = "The train leaves soon. " * 80
    scored = client.score(text, "Der Zug fährt bald ab.", truncate=True, tokens=True)
    assert len(scored.source_tokens) == 256
    beginning = client.score(Tokens(scored.source_tokens), "Der Zug fährt bald ab.")
    assert scored.log_probability == beginning.log_probability
    assert "truncated" in {notice.reason for notice in scored.warnings}


def test_scores_in_company_are_those_alone(client: Client) -> None:
    """Many at once, of many lengths, among translations: each has the bits that it has alone."""
    pairs = [
        (source, " ".join(["Die alte Stadt am Fluss ist schön,"] * times)) for source in SOURCES for times in (1, 3, 6)
    ]
    alone = [client.score(*pair, token_scores=True).hypothesis for pair in pairs]
    company = [client.submit(source, beam_size=4) for source, _ in pairs]
    together = [client.submit_score(*pair, token_scores=True) for pair in (*pairs, *reversed(pairs))]
    assert [pending.result().hypothesis for pending in together] == [*alone, *reversed(alone)]
    assert all(pending.result().text for pending in company)
