"""One SentencePiece vocabulary for both languages (Kudo & Richardson 2018)."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from pathlib import Path

import numpy
import sentencepiece

from models.segmentation import Segmentations, Ways

PAD_ID, UNK_ID, BOS_ID, EOS_ID = range(4)
UNKNOWN_PENALTY = 10.0  # what an unknown piece scores below the least likely one; the library's own


class VocabularyError(Exception):
    """Say why no vocabulary could be made from a text, or read from a file."""


class Tokenizer:
    """Turn text into piece ids and back; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as error:
            raise VocabularyError(f"{path} is no vocabulary: {error}") from error
        self._scores = numpy.array([self._processor.get_score(i) for i in range(len(self))])  # log p of each piece
        self._scores[UNK_ID] = self._scores.min() - UNKNOWN_PENALTY

    def __len__(self) -> int:
        """Return the number of pieces, V."""
        size: int = self._processor.vocab_size()
        return size

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Split texts into piece ids, without bos and eos."""
        ids: list[list[int]] = self._processor.encode(list(texts))
        return ids

    def segmentations(self, texts: Sequence[str], count: int, alpha: float) -> Segmentations:
        """Find the `count` best ways to split each text, with chances as their probabilities to the power of alpha.

        The library draws by itself, too, but not the same in every process.
        """
        return Segmentations(self._ways(text, count, alpha) for text in texts)

    def _ways(self, text: str, count: int, alpha: float) -> Ways:
        ways: list[list[int]] = self._processor.nbest_encode(text, nbest_size=count) or [[]]
        if not ways[0]:
            return [[]], numpy.ones(1)
        lengths = [len(ids) for ids in ways]
        scores = self._scores[numpy.fromiter(chain.from_iterable(ways), numpy.int64, sum(lengths))]
        weights = numpy.add.reduceat(scores, [0, *accumulate(lengths[:-1])])
        likely = numpy.exp(alpha * (weights - weights.max()))
        return ways, likely / likely.sum()

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Join piece ids to texts."""
        # Of an empty list the library would make an empty string.
        texts: list[str] = self._processor.decode([list(row) for row in ids]) if ids else []
        return texts

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Show piece ids as pieces."""
        pieces: list[str] = self._processor.id_to_piece(list(ids))
        return pieces


def train_tokenizer(sentences: Iterable[str], size: int, path: Path) -> Tokenizer:
    """Learn a unigram vocabulary of exactly `size` pieces and write it to `path`.

    Control characters go and compatibility characters are unified (the library's nmt_nfkc rule), in training and
    serving alike, since the rule is stored in the file.

    Raises:
        VocabularyError: the text cannot fill a vocabulary of this size.
    """
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("wb") as file:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(sentences),
                model_writer=file,
                vocab_size=size,
                model_type="unigram",
                character_coverage=0.9999,
                pad_id=PAD_ID,
                unk_id=UNK_ID,
                bos_id=BOS_ID,
                eos_id=EOS_ID,
                num_threads=2,  # the result depends on it
                minloglevel=2,
            )
    except RuntimeError as error:
        unfinished.unlink(missing_ok=True)
        raise VocabularyError(f"no vocabulary of {size} pieces from this text: {error}") from error
    unfinished.replace(path)
    return Tokenizer(path)
