"""The SentencePiece vocabulary."""

import math
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
import sentencepiece

from models.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Tokenizer, VocabularyError, train_tokenizer
from tests.unit.models.factories import PIECES, lexicon_pairs

pytestmark = pytest.mark.torch

TEXT = [side for pair in lexicon_pairs(60) for side in pair]
SIZE = PIECES


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return train_tokenizer(TEXT, SIZE, tmp_path_factory.mktemp("vocabulary") / "vocabulary.model")


def test_text_comes_back_from_its_ids(tokenizer: Tokenizer) -> None:
    """Decoding the ids of a text gives the text."""
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT


def test_it_has_exactly_the_asked_size(tokenizer: Tokenizer) -> None:
    """The vocabulary has the asked number of pieces and all ids are below it."""
    assert len(tokenizer) == SIZE
    assert all(0 <= piece < SIZE for row in tokenizer.encode(TEXT) for piece in row)


def test_special_ids_are_fixed_and_never_come_from_text(tokenizer: Tokenizer) -> None:
    """Ids 0 to 3 are pad, unk, bos and eos; text, even text that spells them, gives no pad, bos or eos."""
    assert (PAD_ID, UNK_ID, BOS_ID, EOS_ID) == (0, 1, 2, 3)
    rows = tokenizer.encode([*TEXT, "<pad>", "<s> mira </s>"])
    assert not {PAD_ID, BOS_ID, EOS_ID} & {piece for row in rows for piece in row}
    assert tokenizer.decode([[BOS_ID, *tokenizer.encode(["mira"])[0], EOS_ID, PAD_ID]]) == ["mira"]


@pytest.mark.parametrize(
    "text",
    ["Ω≈ç", "😀", "\x00\x07", "a" * 10_000, "مرحبا", "", "   ", "\u200b", "\ud83d".encode("utf-8", "replace").decode()],
)
def test_any_text_can_be_encoded(tokenizer: Tokenizer, text: str) -> None:
    """Unknown words, emoji, control characters and very long words give ids, and the ids give text."""
    (row,) = tokenizer.encode([text])
    assert isinstance(tokenizer.decode([row])[0], str)


def test_unknown_characters_are_the_unknown_piece(tokenizer: Tokenizer) -> None:
    """A character that the training text did not have becomes unk."""
    assert UNK_ID in tokenizer.encode(["字"])[0]


def test_no_texts_give_no_rows(tokenizer: Tokenizer) -> None:
    """Empty lists go in and come out."""
    assert tokenizer.encode([]) == []
    assert tokenizer.decode([]) == []
    assert tokenizer.decode([[]]) == [""]


def test_the_file_is_all_there_is_to_know(tokenizer: Tokenizer) -> None:
    """A tokenizer read from the file gives the same ids."""
    assert Tokenizer(tokenizer.path).encode(TEXT) == tokenizer.encode(TEXT)


def _ways(tokenizer: Tokenizer, text: str, count: int, alpha: float) -> Counter[tuple[int, ...]]:
    """Draw 4,000 splits of one text."""
    segmentations, random = tokenizer.segmentations([text], count, alpha), numpy.random.default_rng(1)
    return Counter(tuple(segmentations.draw(random)[0]) for _ in range(4000))


def test_drawn_splits_spell_the_text(tokenizer: Tokenizer) -> None:
    """Whatever is drawn decodes to the text, and most texts are not always split the same way."""
    segmentations, random = tokenizer.segmentations(TEXT, 16, 0.1), numpy.random.default_rng(1)
    rounds = [segmentations.draw(random) for _ in range(4)]
    assert all(tokenizer.decode(drawn) == TEXT for drawn in rounds)
    assert sum(len({tuple(row) for row in rows}) > 1 for rows in zip(*rounds, strict=True)) > len(TEXT) / 2


def test_no_more_splits_are_drawn_than_asked(tokenizer: Tokenizer) -> None:
    """At alpha = 0 each of `count` ways is drawn as often, the best among them; of one way it is the best that is."""
    best = tuple(tokenizer.encode(["mira bako"])[0])
    drawn = _ways(tokenizer, "mira bako", 3, 0.0)
    assert best in drawn
    assert sorted(drawn.values()) == pytest.approx([1333] * 3, abs=120)
    assert list(_ways(tokenizer, "mira bako", 1, 0.0)) == [best]


def test_splits_are_drawn_by_their_probability(tokenizer: Tokenizer) -> None:
    """A way is drawn in proportion to its probability to the power of alpha, by the scores in the file."""
    library = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer.path))
    drawn = _ways(tokenizer, "mira bako", 3, 0.1)
    weights = {way: math.exp(0.1 * sum(library.get_score(piece) for piece in way)) for way in drawn}
    for way, times in drawn.items():
        assert times / 4000 == pytest.approx(weights[way] / sum(weights.values()), abs=0.03)


@pytest.mark.parametrize("text", ["", "   ", "Ω≈ç", "mira 字字 bako", "a" * 300])
def test_any_text_can_be_drawn(tokenizer: Tokenizer, text: str) -> None:
    """Nothing, unknown characters and long words are split, too, and into as much text as the best way gives."""
    (row,) = tokenizer.segmentations([text], 64, 0.1).draw(numpy.random.default_rng(1))
    assert tokenizer.decode([row]) == tokenizer.decode(tokenizer.encode([text]))


def test_another_process_draws_the_same(tokenizer: Tokenizer) -> None:
    """The random generator decides alone, so a run can be resumed, and several processes deal the same batches."""
    program = (
        "import sys, pathlib, numpy; from models.tokenizer import Tokenizer; "
        "tokenizer = Tokenizer(pathlib.Path(sys.argv[1])); "
        "print(tokenizer.segmentations(sys.argv[2:], 16, 0.1).draw(numpy.random.default_rng(7)))"
    )
    command = [sys.executable, "-c", program, str(tokenizer.path), *TEXT]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found.strip() == str(tokenizer.segmentations(TEXT, 16, 0.1).draw(numpy.random.default_rng(7)))


def test_training_is_reproducible(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """The same text and size give the same file."""
    again = train_tokenizer(iter(TEXT), SIZE, tmp_path / "again.model")
    assert again.path.read_bytes() == tokenizer.path.read_bytes()


def test_it_is_safe_between_threads(tokenizer: Tokenizer) -> None:
    """Many threads that encode at once get what one would get."""
    expected = tokenizer.encode(TEXT)
    with ThreadPoolExecutor(4) as pool:
        assert all(rows == expected for rows in pool.map(tokenizer.encode, [TEXT] * 20))


@pytest.mark.parametrize(("sentences", "size"), [(TEXT, 5000), (TEXT, 16), ([], SIZE), (["a b"], 1000)])
def test_a_size_that_the_text_cannot_fill_leaves_no_file(tmp_path: Path, sentences: list[str], size: int) -> None:
    """A vocabulary too large or too small for the text, or no text, is an error with the size, and no file stays."""
    with pytest.raises(VocabularyError, match=f"{size} pieces"):
        train_tokenizer(sentences, size, tmp_path / "vocabulary.model")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_training_leaves_an_older_vocabulary_alone(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """A vocabulary that is already there survives an attempt that fails."""
    path = tmp_path / "vocabulary.model"
    path.write_bytes(tokenizer.path.read_bytes())
    with pytest.raises(VocabularyError):
        train_tokenizer(TEXT, 5000, path)
    assert [file.name for file in tmp_path.iterdir()] == ["vocabulary.model"]
    assert len(Tokenizer(path)) == SIZE
