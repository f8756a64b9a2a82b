"""Reading parallel text, and the batches of an epoch."""

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.config import TextFile
from models.data import Corpus, DataError, collate, pad, read_pairs
from models.tokenizer import BOS_ID, EOS_ID, PAD_ID, Tokenizer, train_tokenizer
from tests.unit.models.factories import PIECES, CharacterTokenizer, Pairs, data_config, lexicon_pairs

pytestmark = pytest.mark.torch

GOOD = "a house\tein Haus\n"


def _read(root: Path, path: str, columns: tuple[str, ...] = ("source", "target")) -> Pairs:
    return read_pairs(root, [TextFile(path=path, columns=columns)], data_config())


def _error(root: Path, path: str, columns: tuple[str, ...] = ("source", "target")) -> str:
    with pytest.raises(DataError) as caught:
        _read(root, path, columns)
    return str(caught.value)


def _corpus(pairs: Pairs, concatenate: float = 0.0, max_pieces: int = 100) -> Corpus:
    return Corpus(pairs, CharacterTokenizer(), data_config(concatenate=concatenate, max_pieces=max_pieces))


def _pairs(count: int = 80) -> Pairs:
    """Make pairs of 1 to 10 letters that are all different."""
    letters = "abcdefghij"
    return [
        (f"{letters[i % 10]}{letters[i // 10]}"[: 1 + i % 2] * (1 + i % 5), letters[: 1 + i % 9]) for i in range(count)
    ]


def test_a_tsv_gives_its_pairs_in_order(tmp_path: Path) -> None:
    """Two tab-separated columns are source and target, line by line, with either line ending and any spaces kept."""
    (tmp_path / "a.tsv").write_bytes(
        "Good morning.\tGuten Morgen.\r\nYes — “really”.\tJa, größer! \n\u2028x\ty".encode()
    )
    assert _read(tmp_path, "a.tsv") == [
        ("Good morning.", "Guten Morgen."),
        ("Yes — “really”.", "Ja, größer! "),
        ("\u2028x", "y"),
    ]


def test_named_columns_are_found_wherever_they_stand(tmp_path: Path) -> None:
    """Columns may be in any order among others, which are ignored even where they are empty."""
    (tmp_path / "a.tsv").write_text("17\tein Hund\t\ta dog\n18\teine Katze\t0.5\ta cat\n", encoding="utf-8")
    columns = ("id", "target", "score", "source")
    assert _read(tmp_path, "a.tsv", columns) == [("a dog", "ein Hund"), ("a cat", "eine Katze")]


def test_two_text_files_are_read_side_by_side(tmp_path: Path) -> None:
    """A path without .tsv names two files that end in the languages; tabs in them are text."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.en.txt").write_text("one\ntwo\tthree\n", encoding="utf-8")
    (tmp_path / "sub/a.de.txt").write_text("eins\nzwei\tdrei\n", encoding="utf-8")
    assert _read(tmp_path, "sub/a") == [("one", "eins"), ("two\tthree", "zwei\tdrei")]


def test_several_files_follow_each_other(tmp_path: Path) -> None:
    """Files are read in the order in which the recipe lists them."""
    (tmp_path / "b.tsv").write_text("b\tB\n", encoding="utf-8")
    (tmp_path / "a.tsv").write_text("a\tA\n", encoding="utf-8")
    files = [TextFile(path="b.tsv"), TextFile(path="a.tsv")]
    assert read_pairs(tmp_path, files, data_config()) == [("b", "B"), ("a", "A")]


@pytest.mark.parametrize(
    ("content", "line", "fault"),
    [
        (GOOD + "no tab here\n", 2, "1 columns, 2 expected"),
        (GOOD + GOOD + "a\tb\tc\n", 3, "3 columns, 2 expected"),
        (GOOD + "\n" + GOOD, 2, "1 columns, 2 expected"),
        ("\tein Haus\n", 1, "the source side is empty"),
        (GOOD + "a house\t \u00a0 \n", 2, "the target side is empty"),
        (GOOD + "a house\t", 2, "the target side is empty"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, content: str, line: int, fault: str) -> None:
    """A line with a missing, extra or empty column is an error with file, line number and what is wrong."""
    (tmp_path / "bad.tsv").write_text(content, encoding="utf-8")
    assert _error(tmp_path, "bad.tsv").startswith(f"{tmp_path / 'bad.tsv'}, line {line}: {fault}")


def test_a_missing_named_column_is_named(tmp_path: Path) -> None:
    """A line with fewer columns than the recipe names gives file, line number and the names."""
    (tmp_path / "bad.tsv").write_text("1\ta\tb\n2\ta\n", encoding="utf-8")
    message = _error(tmp_path, "bad.tsv", ("id", "source", "target"))
    assert f"{tmp_path / 'bad.tsv'}, line 2: 2 columns, 3 expected (id, source, target)" in message


@pytest.mark.parametrize("path", ["bad.tsv", "bad"])
def test_bytes_that_are_not_utf8_are_named(tmp_path: Path, path: str) -> None:
    """Bytes that are not UTF-8 give file and line number, in a TSV and in one of a pair of files."""
    (tmp_path / "bad.tsv").write_bytes(GOOD.encode() + b"gr\xf6\xdfer\tx\n")
    (tmp_path / "bad.en.txt").write_bytes(b"one\ntwo\n")
    (tmp_path / "bad.de.txt").write_bytes(b"eins\nzw\xf6lf\n")
    named = "bad.tsv" if path == "bad.tsv" else "bad.de.txt"
    assert f"{tmp_path / named}, line 2: not UTF-8" in _error(tmp_path, path)


def test_unequal_line_counts_name_both_files_and_counts(tmp_path: Path) -> None:
    """Two files that are not parallel are both named, with their numbers of lines."""
    (tmp_path / "a.en.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    (tmp_path / "a.de.txt").write_text("eins\nzwei\n", encoding="utf-8")
    message = _error(tmp_path, "a")
    assert f"{tmp_path / 'a.en.txt'} has 3 lines" in message
    assert f"{tmp_path / 'a.de.txt'} has 2" in message


@pytest.mark.parametrize(("side", "named"), [("source", "a.en.txt"), ("target", "a.de.txt")])
def test_an_empty_line_of_a_pair_names_the_file_it_is_in(tmp_path: Path, side: str, named: str) -> None:
    """An empty line in one of two files is reported with that file, not the other one."""
    (tmp_path / "a.en.txt").write_text("one\n\n" if side == "source" else "one\ntwo\n", encoding="utf-8")
    (tmp_path / "a.de.txt").write_text("eins\n\n" if side == "target" else "eins\nzwei\n", encoding="utf-8")
    assert f"{tmp_path / named}, line 2: the {side} side is empty" in _error(tmp_path, "a")


@pytest.mark.parametrize(
    ("path", "named"), [("none.tsv", "none.tsv"), ("none", "none.en.txt"), ("half", "half.de.txt")]
)
def test_a_missing_file_is_named(tmp_path: Path, path: str, named: str) -> None:
    """A file that is not there is an error with its whole path and the reason."""
    (tmp_path / "half.en.txt").write_text("one\n", encoding="utf-8")
    assert _error(tmp_path, path) == f"cannot read {tmp_path / named}: No such file or directory"


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    """A folder where text should be is an error that names it."""
    (tmp_path / "a.tsv").mkdir()
    assert str(tmp_path / "a.tsv") in _error(tmp_path, "a.tsv")


def _dealt(corpus: Corpus, seed: int = 1, epoch: int = 0, batch_tokens: int = 40) -> list[tuple[str, str]]:
    batches = corpus.batches(seed, epoch, batch_tokens)
    return [(_text(source), _text(target)) for batch in batches for source, target in batch]


def _text(ids: list[int]) -> str:
    return "".join(chr(i + 93) for i in ids)


word = st.text("abcdefghij", min_size=1, max_size=12)
some_pairs = st.lists(st.tuples(word, word), min_size=1, max_size=60)


@settings(max_examples=60, derandomize=True)
@given(pairs=some_pairs, seed=st.integers(0, 9), epoch=st.integers(0, 9), batch_tokens=st.integers(1, 80))
def test_every_pair_appears_exactly_once_in_an_epoch(pairs: Pairs, seed: int, epoch: int, batch_tokens: int) -> None:
    """Without concatenation an epoch holds each pair once, in batches that are never empty."""
    corpus = _corpus(pairs)
    assert Counter(_dealt(corpus, seed, epoch, batch_tokens)) == Counter(pairs)
    assert all(corpus.batches(seed, epoch, batch_tokens))


@settings(max_examples=60, derandomize=True)
@given(
    pairs=some_pairs,
    seed=st.integers(0, 9),
    concatenate=st.floats(0, 1),
    max_pieces=st.integers(12, 60),
    batch_tokens=st.integers(1, 80),
)
def test_concatenation_loses_and_invents_nothing(
    pairs: Pairs, seed: int, concatenate: float, max_pieces: int, batch_tokens: int
) -> None:
    """Joined pairs hold the same pieces as the text, at most four pairs each, and stay below max_pieces."""
    dealt = _dealt(_corpus(pairs, concatenate, max_pieces), seed, 0, batch_tokens)
    for side in (0, 1):
        assert Counter("".join(pair[side] for pair in dealt)) == Counter("".join(pair[side] for pair in pairs))
        assert all(len(pair[side]) <= max_pieces for pair in dealt)
    assert len(dealt) <= len(pairs) <= 4 * len(dealt)


def test_concatenation_joins_both_sides_of_the_same_pairs() -> None:
    """Where the target is the source's copy, it still is after joining, and about the asked share is joined."""
    pairs = [(source, source) for source, _ in _pairs(80)]
    dealt = _dealt(_corpus(pairs, concatenate=0.5))
    assert all(source == target for source, target in dealt)
    untouched = Counter(dealt) & Counter(pairs)
    assert untouched.total() == pytest.approx(40, abs=4)
    assert len(dealt) < 65


@settings(max_examples=60, derandomize=True)
@given(pairs=some_pairs, concatenate=st.floats(0, 1), batch_tokens=st.integers(1, 80))
def test_batches_are_bounded(pairs: Pairs, concatenate: float, batch_tokens: int) -> None:
    """A batch's padded target rectangle has at most batch_tokens pieces, unless one pair alone is longer."""
    for batch in _corpus(pairs, concatenate).batches(1, 0, batch_tokens):
        width = max(len(target) + 1 for _, target in batch)
        assert width * len(batch) <= batch_tokens or len(batch) == 1


def test_batches_share_like_lengths() -> None:
    """Little of a batch is padding: pairs are sorted by length before they are cut into batches."""
    batches = _corpus(_pairs(80)).batches(1, 0, 40)
    real = sum(len(target) for batch in batches for _, target in batch)
    padded = sum(len(batch) * max(len(target) for _, target in batch) for batch in batches)
    assert real > 0.85 * padded


@pytest.mark.parametrize("concatenate", [0.0, 0.4])
def test_an_epoch_depends_on_seed_and_epoch_alone(concatenate: float) -> None:
    """The same seed and epoch give the same batches, from another corpus object too and in any order of asking."""
    first, second = (_corpus(_pairs(), concatenate) for _ in range(2))
    later = first.batches(1, 3, 40)
    first.batches(1, 0, 40)
    torch.manual_seed(99)
    assert second.batches(1, 3, 40) == later == first.batches(1, 3, 40)


@pytest.mark.parametrize("concatenate", [0.0, 0.4])
def test_other_epochs_and_seeds_are_dealt_otherwise(concatenate: float) -> None:
    """Another epoch or another seed has other batches: another order and other mates."""
    corpus = _corpus(_pairs(), concatenate)
    dealt = [corpus.batches(seed, epoch, 40) for seed, epoch in ((1, 0), (1, 1), (2, 0))]
    groups = [Counter(str(sorted(batch)) for batch in batches) for batches in dealt]
    assert dealt[0] != dealt[1] != dealt[2] != dealt[0]
    assert groups[0] != groups[1] != groups[2] != groups[0]


def test_batches_come_in_random_order() -> None:
    """Batches are not sorted by length, so that an epoch does not go from short to long."""
    widths = [len(batch[0][1]) for batch in _corpus(_pairs()).batches(1, 0, 40)]
    assert widths != sorted(widths)
    assert widths != sorted(widths, reverse=True)


def test_long_and_empty_pairs_are_left_out_and_counted() -> None:
    """Pairs over max_pieces or without pieces on a side are not trained on, and the corpus says how many."""
    corpus = _corpus([("ab", "ab"), ("abcd", "a"), ("a", "abcd"), ("", "a"), ("abc", "abc")], max_pieces=3)
    assert corpus.left_out == 3
    assert sorted(_dealt(corpus)) == [("ab", "ab"), ("abc", "abc")]


@pytest.mark.parametrize("pairs", [[], [("abcd", "a")]])
def test_a_text_without_a_usable_pair_is_refused(pairs: Pairs) -> None:
    """A corpus that would be empty is an error that says what a pair must be."""
    with pytest.raises(DataError, match="1 to 3 pieces"):
        _corpus(pairs, max_pieces=3)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    text = [side for pair in lexicon_pairs(60) for side in pair]
    return train_tokenizer(text, PIECES, tmp_path_factory.mktemp("vocabulary") / "vocabulary.model")


def _split(pieces: Tokenizer, max_pieces: int = 100) -> Corpus:
    """Make a corpus that draws one of eight splits of each text."""
    return Corpus(lexicon_pairs(40), pieces, data_config(segmentations=8, max_pieces=max_pieces))


def test_drawn_segmentations_change_pieces_and_no_text(pieces: Tokenizer) -> None:
    """Epochs split most texts otherwise, both sides of them, and hold each pair once, as text."""
    best = Corpus(lexicon_pairs(40), pieces, data_config())
    ids = []
    for epoch in range(3):
        batches = _split(pieces).batches(1, epoch, 60)
        ids.append(Counter(str(pair) for batch in batches for pair in batch))
        texts = [tuple(pieces.decode(pair)) for batch in batches for pair in batch]
        assert sorted(texts) == sorted(lexicon_pairs(40))
    ids.append(Counter(str(pair) for pair in best.pairs))
    assert all((one & other).total() < 20 for one, other in combinations(ids, 2))


def test_drawn_segmentations_depend_on_seed_and_epoch_alone(pieces: Tokenizer) -> None:
    """The same seed and epoch draw the same from another corpus object, in any order of asking; others do not."""
    first, second = _split(pieces), _split(pieces)
    later = first.batches(1, 3, 60)
    first.batches(1, 0, 60)
    assert second.batches(1, 3, 60) == later
    assert second.batches(2, 3, 60) != later != second.batches(1, 4, 60)


def test_a_drawn_segmentation_that_is_too_long_is_not_taken(pieces: Tokenizer) -> None:
    """A pair whose best split just fits stays as it is where the drawn one has more pieces than are allowed."""
    best = Corpus(lexicon_pairs(40), pieces, data_config())
    longest = max(len(side) for pair in best.pairs for side in pair)
    batches = [batch for epoch in range(5) for batch in _split(pieces, longest).batches(1, epoch, 60)]
    assert max(len(side) for batch in batches for pair in batch for side in pair) == longest
    assert sum(len(batch) for batch in batches) == 5 * 40


def test_collate_pads_and_frames() -> None:
    """A batch holds padded sources, and targets between bos and eos; target_tokens counts words and eos."""
    batch = collate([([4, 5, 6], [7]), ([8], [9, 10])], torch.device("cpu"))
    assert batch.source_ids.tolist() == [[4, 5, 6], [8, PAD_ID, PAD_ID]]
    assert batch.lengths.tolist() == [3, 1]
    assert batch.target_ids.tolist() == [[BOS_ID, 7, EOS_ID, PAD_ID], [BOS_ID, 9, 10, EOS_ID]]
    assert batch.target_tokens == 5
    assert batch.source_ids.dtype == batch.lengths.dtype == batch.target_ids.dtype == torch.int64


def test_pad_keeps_an_empty_row() -> None:
    """An empty row becomes padding of length 0."""
    padded, lengths = pad([[4, 5], []])
    assert padded.tolist() == [[4, 5], [PAD_ID, PAD_ID]]
    assert lengths.tolist() == [2, 0]
