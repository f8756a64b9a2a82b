"""A SentencePiece vocabulary numbered as ours: padding, unknown, begin and end first."""

from collections.abc import Container
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from export.errors import ExportError

SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
NORMAL, UNKNOWN, CONTROL, UNUSED = 1, 2, 3, 5  # kinds of pieces
# What is changed of sentencepiece_model.proto; the rest travels as unknown fields. The wheel's own stubs ask for a
# later protobuf than the one that serves.
_KINDS = {"string": 9, "float": 2, "int32": 5, "message": 11}
_FIELDS = {
    "Piece": {"piece": (1, "string"), "score": (2, "float"), "type": (3, "int32")},
    "Settings": {
        **{"vocab_size": (4, "int32"), "unk_id": (40, "int32"), "bos_id": (41, "int32"), "eos_id": (42, "int32")},
        **{"pad_id": (43, "int32"), "unk_piece": (45, "string"), "bos_piece": (46, "string")},
        **{"eos_piece": (47, "string"), "pad_piece": (48, "string")},
    },
    "Model": {"pieces": (1, "Piece"), "trainer_spec": (2, "Settings")},
}


def _message(name: str) -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="seq2serve/vocabulary.proto", package="seq2serve.vocabulary")
    file.syntax = "proto2"
    for owner, fields in _FIELDS.items():
        message = file.message_type.add(name=owner)
        for field, (number, kind) in fields.items():
            label = 3 if field == "pieces" else 1
            added = message.field.add(name=field, number=number, label=label, type=_KINDS.get(kind, 11))
            if kind not in _KINDS:
                added.type_name = f".seq2serve.vocabulary.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"seq2serve.vocabulary.{name}"))


def joint(path: Path, numbered: Path, cut: Container[str] | None = None) -> list[str]:
    """Write the vocabulary at `path` with our special pieces first to `numbered`; returns all pieces by number.

    How text is cut does not depend on numbers, so it stays the same. Where `cut` is given, text is cut into its pieces
    and into single characters, as by SentencePiece's `SetVocabulary`.

    Raises:
        ExportError: the file is no SentencePiece model.
    """
    model = _message("Model")()
    try:
        model.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise ExportError(f"{path} is no SentencePiece model: {error}") from error
    others = [(p.piece, p.score, p.type or NORMAL) for p in model.pieces if p.type not in (UNKNOWN, CONTROL)]
    if not others:
        raise ExportError(f"{path} is no SentencePiece model: it has no pieces")
    special = [(name, 0.0, UNKNOWN if name == "<unk>" else CONTROL) for name in SPECIAL]
    model.ClearField("pieces")
    for piece, score, kind in (*special, *others):
        unused = kind == NORMAL and cut is not None and len(piece) > 1 and piece not in cut
        model.pieces.add(piece=piece, score=score, type=UNUSED if unused else kind)
    settings = model.trainer_spec
    settings.pad_id, settings.unk_id, settings.bos_id, settings.eos_id = range(4)
    settings.pad_piece, settings.unk_piece, settings.bos_piece, settings.eos_piece = SPECIAL
    settings.vocab_size = len(model.pieces)
    numbered.write_bytes(model.SerializeToString())
    return [piece.piece for piece in model.pieces]


def read_pieces(path: Path) -> dict[str, int]:
    """Read a text with a piece a line, whose numbers are those of the lines."""
    with path.open(encoding="utf-8") as file:  # splitlines would part at characters that can be pieces
        return {line.rstrip("\n"): number for number, line in enumerate(file)}
