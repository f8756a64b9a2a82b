"""Scores, pieces and alignments that a reply has on request."""

from collections import defaultdict
from pathlib import Path
from typing import Any, Literal

import pytest

from seq2serve import Client, Word
from seq2serve.command import main

SENTENCE = "The children were playing in the garden when the rain began to fall."
TEXT = "Don't wait: the children's train is late. It left at 10:30!\n\nWe pay 3.50 euros."
SEARCHES: tuple[dict[str, Any], ...] = (
    {},
    {"beam_size": 5, "num_hypotheses": 5},
    {"temperature": 1.0, "seed": 4, "num_hypotheses": 3},
    {"return_alternatives": True, "num_hypotheses": 4},
    {"repetition_penalty": 1.5, "min_length": 3},
)
READINGS: tuple[dict[str, Any], ...] = (
    {},
    {"beam_size": 4},
    {"split_sentences": True},
    {"transfer_numbers": True, "transfer_tags": True, "glossary": {"euros": "Taler"}},
    {"split_sentences": True, "transfer_numbers": True},
)


@pytest.mark.parametrize("options", SEARCHES)
def test_scores_are_of_the_pieces(client: Client, options: dict[str, Any]) -> None:
    """The piece scores, the end symbol's included, add up to the log-probability, and their mean is the score."""
    reply = client.translate(SENTENCE, scores=True, token_scores=True, tokens=True, **options)
    for hypothesis in reply.hypotheses:
        assert len(hypothesis.token_scores) == len(hypothesis.token_ids) + (hypothesis.finish_reason == "eos")
        assert len(hypothesis.tokens) == len(hypothesis.token_ids)
        assert max(hypothesis.token_scores) <= 0
        assert hypothesis.log_probability == pytest.approx(sum(hypothesis.token_scores), rel=1e-5)
        assert hypothesis.score == pytest.approx(sum(hypothesis.token_scores) / len(hypothesis.token_scores), rel=1e-5)
        assert "".join(hypothesis.tokens).replace("▁", " ").strip() == hypothesis.text
    assert reply.usage.target_tokens == sum(len(hypothesis.token_ids) for hypothesis in reply.hypotheses)


@pytest.mark.parametrize("options", SEARCHES)
def test_nothing_is_returned_unasked(client: Client, options: dict[str, Any]) -> None:
    """What is asked for does not change the texts, and what is not is not there."""
    plain = client.translate(SENTENCE, timing=False, **options)
    rich = client.translate(SENTENCE, scores=True, token_scores=True, tokens=True, alignment="soft_sparse", **options)
    assert [hypothesis.text for hypothesis in plain.hypotheses] == [hypothesis.text for hypothesis in rich.hypotheses]
    assert (plain.source_tokens, plain.source_words, plain.sentences, plain.timing) == ((), (), (), None)
    for hypothesis in plain.hypotheses:
        assert (hypothesis.score, hypothesis.log_probability) == (None, None)
        assert not any((hypothesis.tokens, hypothesis.token_ids, hypothesis.token_scores))
        assert not any((hypothesis.alignment, hypothesis.words))


@pytest.mark.parametrize("mode", ["hard", "soft_sparse"])
@pytest.mark.parametrize("options", READINGS)
def test_words_stand_where_they_are_said_to(
    client: Client, options: dict[str, Any], mode: Literal["hard", "soft_sparse"]
) -> None:
    """Every word slices its text, in order, and every link joins words that there are."""
    reply = client.translate(TEXT, alignment=mode, **options)
    best = reply.hypotheses[0]
    for text, words in ((TEXT, reply.source_words), (best.text, best.words)):
        _check_words(text, words)
    assert {word.text for word in reply.source_words} >= {"Don't", "children's", "10:30", "3.50"}
    _check_links(reply.hypotheses[0].alignment, len(reply.source_words), len(best.words), mode)


@pytest.mark.parametrize("mode", ["hard", "soft_sparse"])
@pytest.mark.parametrize("options", READINGS)
def test_pieces_are_aligned(client: Client, options: dict[str, Any], mode: Literal["hard", "soft_sparse"]) -> None:
    """Every link joins pieces that there are; every target piece has one in a hard alignment."""
    reply = client.translate(TEXT, alignment=mode, alignment_unit="piece", **options)
    best = reply.hypotheses[0]
    assert not reply.source_words
    assert not best.words
    _check_links(best.alignment, len(reply.source_tokens), len(best.tokens), mode)
    if mode == "hard":
        assert [link.target for link in best.alignment] == list(range(len(best.tokens)))


def _check_words(text: str, words: tuple[Word, ...]) -> None:
    end = 0
    assert words
    for word in words:
        assert word.start >= end
        assert text[word.start : word.end] == word.text
        end = word.end


def _check_links(links: tuple[tuple[int, int, float], ...], sources: int, targets: int, mode: str) -> None:
    weights: defaultdict[int, list[float]] = defaultdict(list)
    for source, target, weight in links:
        assert 0 <= source < sources
        assert 0 <= target < targets
        weights[target].append(weight)
    assert [(target, source) for source, target, _ in links] == sorted({(b, a) for a, b, _ in links})
    for found in weights.values():
        if mode == "hard":
            assert found == [1.0]
        else:
            assert min(found) >= 0.05
            assert sum(found) <= 1 + 1e-4
    assert len(weights) > targets / 2


@pytest.mark.parametrize("unit", ["word", "piece"])
def test_least_weight_is_respected(client: Client, unit: Literal["word", "piece"]) -> None:
    """A greater bound leaves the greater of the same links; with 0 a target unit's weights are all there is."""
    everything, some = (
        client.translate(SENTENCE, alignment="soft_sparse", alignment_unit=unit, alignment_min_weight=least)
        for least in (0.0, 0.3)
    )
    links = everything.hypotheses[0].alignment
    assert some.hypotheses[0].alignment == tuple(link for link in links if link.weight >= 0.3)
    assert 0 < len(some.hypotheses[0].alignment) < len(links)
    for target in {link.target for link in links}:
        total = sum(link.weight for link in links if link.target == target)
        assert total <= 1 + 1e-4
        if unit == "piece":
            assert total == pytest.approx(1, abs=1e-3)


def test_hard_alignment_is_the_greatest_weight(client: Client) -> None:
    """The hard link of each piece is its heaviest soft one."""
    hard, soft = (
        client.translate(SENTENCE, alignment=mode, alignment_unit="piece", alignment_min_weight=0.0).hypotheses[0]
        for mode in ("hard", "soft_sparse")
    )
    for link in hard.alignment:
        heaviest = max(other.weight for other in soft.alignment if other.target == link.target)
        assert (link.source, link.target, heaviest) in soft.alignment


def test_words_that_translate_each_other_are_aligned(client: Client) -> None:
    """The links of content words are those that a reader would draw."""
    reply = client.translate(SENTENCE, alignment="hard")
    pairs = {
        (reply.source_words[link.source].text, reply.hypotheses[0].words[link.target].text)
        for link in reply.hypotheses[0].alignment
    }
    assert pairs >= {("children", "Kinder"), ("garden", "Garten"), ("rain", "Regen"), ("when", "als")}


def test_command_prints_and_draws_what_words_came_from(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each word of the translation, and a picture of all weights, by words or by pieces."""
    pytest.importorskip("matplotlib")
    flags = ("--address", client.address)
    assert main(["align", SENTENCE, *flags]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    aligned = client.translate(SENTENCE, alignment="hard")
    assert [word for word, _ in lines] == [word.text for word in aligned.hypotheses[0].words]
    for link in aligned.hypotheses[0].alignment:
        assert aligned.source_words[link.source].text in lines[link.target][1].split()
    for unit in ("word", "piece"):
        picture = tmp_path / f"{unit}.png"
        assert main(["align", SENTENCE, *flags, "--plot", str(picture), "--alignment-unit", unit]) == 0
        assert capsys.readouterr().out == f"{aligned.text}\n"
        assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        main(["align", SENTENCE, *flags, "--plot", str(tmp_path / "picture.txt")])
    assert "a name that ends in .png, .svg or .pdf is needed" in capsys.readouterr().err
