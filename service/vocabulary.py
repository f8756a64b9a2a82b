"""Text to piece ids and back (SentencePiece)."""

from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from service.errors import BundleError
from service.text.pieces import Pieces, Span


class Vocabulary:
    """Hold the pieces of a bundle; safe to share between threads."""

    def __init__(self, path: Path, size: int) -> None:
        """Load the SentencePiece model at `path`.

        Raises:
            BundleError: the file is no SentencePiece model, or has not `size` pieces.
        """
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as error:
            raise BundleError(path, f"is not a SentencePiece model ({error})") from error
        if self._processor.vocab_size() != size:
            raise BundleError(path, f"has {self._processor.vocab_size()} pieces, the manifest says {size}")
        self.unknown_id: int = self._processor.unk_id()

    def encode(self, text: str) -> list[int]:
        """Split text into piece ids, without bos and eos; text without any known sign gives unknown ids or none."""
        ids: list[int] = self._processor.encode(text)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Join piece ids to text."""
        text: str = self._processor.decode(list(ids))
        return text

    def encode_spans(self, text: str) -> Pieces:
        """Split text as `encode` does, and say which part of the text each piece covers.

        Offsets are those of the text as given, before Unicode normalization; of a character that becomes several
        pieces (½ becomes three) the last one covers it and the others are empty.
        """
        mapping = self._processor.encode(text, return_type="offset_mapping")
        return Pieces(text, mapping["ids"], _trim(text, mapping["offsets"]))

    def decode_spans(self, ids: Sequence[int]) -> Pieces:
        """Join piece ids as `decode` does, and say which part of the text each became."""
        mapping = self._processor.decode(list(ids), return_type="offset_mapping")
        text: str = mapping["text"]
        return Pieces(text, mapping["ids"], _trim(text, mapping["offsets"]))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Show piece ids as pieces."""
        pieces: list[str] = self._processor.id_to_piece(list(ids))
        return pieces

    def ids(self, pieces: Sequence[str]) -> list[int]:
        """Look pieces up; one that is not in the vocabulary becomes the unknown piece."""
        ids: list[int] = self._processor.piece_to_id(list(pieces))
        return ids

    @property
    def special_ids(self) -> tuple[int, int, int, int]:
        """Return the ids of padding, unknown, begin and end."""
        of = self._processor
        return of.pad_id(), self.unknown_id, of.bos_id(), of.eos_id()


def _trim(text: str, spans: Sequence[Span]) -> list[Span]:
    """Leave out the spaces around spans; of a span of spaces its empty end is left."""
    bodies = [text[start:end] for start, end in spans]
    starts = [end - len(body.lstrip()) for (_, end), body in zip(spans, bodies, strict=True)]
    return [(start, start + len(body.strip())) for start, body in zip(starts, bodies, strict=True)]
