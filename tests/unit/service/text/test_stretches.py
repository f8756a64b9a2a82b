"""Long lines are split a stretch after the other."""

from collections.abc import Callable

import pytest
import sentencex
from hypothesis import given
from hypothesis import strategies as st

from service.text import stretches
from service.text.stretches import LONGEST, MOST_MARKS, sentences

ORDINARY = "Dr. Smith's \u00abdog\u00bb (Rex) barked. He ran! "


@pytest.mark.parametrize("count", [20, 1500])
def test_ordinary_lines(count: int) -> None:
    """Where a sentence ends does not depend on what is far away."""
    assert list(sentences(ORDINARY * count, "en")) == sentencex.segment("en", ORDINARY) * count


@given(st.text("ab .!?'\"()\u00ab\u300c\n\u00a0\u3000B", max_size=60), st.integers(1, 400))
def test_sentences_joined_are_the_line(text: str, count: int) -> None:
    """Whatever is in it, and however long it is."""
    assert "".join(sentences(text * count, "en")) == text * count


@pytest.mark.parametrize("length", [LONGEST, LONGEST + 1, 3 * LONGEST])
def test_sentence_without_end_is_cut(length: int) -> None:
    """Behind a space if there is one."""
    assert "".join(sentences("a" * length, "en")) == "a" * length
    found = list(sentences("abc " * (length // 4), "en"))
    assert "".join(found) == "abc " * (length // 4)
    assert all(len(sentence) <= LONGEST and sentence.endswith(" ") for sentence in found)


def test_quotes_that_are_never_closed_are_cut() -> None:
    """The time that they take grows with their square."""
    assert max(map(len, sentences("\u00ab" * 1000, "en"))) == MOST_MARKS


def test_a_point_behind_wide_space() -> None:
    """It would make sentencex panic; the space stays as it was."""
    assert "".join(sentences("Plan B\u3000\u00a0. Then C.", "en")) == "Plan B\u3000\u00a0. Then C."


class PanicException(BaseException):
    """What a panic of a Rust library looks like."""


def test_a_panic_leaves_the_line_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other error is not held back."""
    monkeypatch.setattr(stretches.sentencex, "segment", _raise(PanicException()))
    assert list(sentences("One. Two.", "en")) == ["One. Two."]
    monkeypatch.setattr(stretches.sentencex, "segment", _raise(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        list(sentences("One. Two.", "en"))


def _raise(error: BaseException) -> Callable[[str, str], list[str]]:
    def segment(language: str, text: str) -> list[str]:
        raise error

    return segment
