"""Which checkpoints of other programs are refused, and by what name."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from export.foreign import joeynmt, marian, opennmt
from export.foreign.foreign import ImportRefused
from tests.unit.export.checkpoints import pieces_of, write_joeynmt, write_marian, write_opennmt, write_untied_marian

pytestmark = pytest.mark.torch


class _Harmful:
    def __reduce__(self) -> Any:
        return os.mkdir, (Path(os.environ["HARM"]),)


@pytest.mark.parametrize("program", ["opennmt", "joeynmt"])
def test_pickled_code_is_not_run(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that would make a folder when it is unpickled is refused, and makes none."""
    monkeypatch.setenv("HARM", str(tmp_path / "harm"))
    buffer = io.BytesIO()
    torch.save({"model": {}, "model_state": {}, "opt": _Harmful()}, buffer)
    (tmp_path / "model.pt").write_bytes(buffer.getvalue())
    with pytest.raises(ImportRefused, match="is no checkpoint of"):
        {"opennmt": opennmt.read, "joeynmt": joeynmt.read}[program](tmp_path / "model.pt")
    assert not (tmp_path / "harm").exists()


def test_what_is_not_covered_is_named(vocabulary: Path, tmp_path: Path) -> None:
    """By the option of the other program, and its value."""
    pieces = pieces_of(vocabulary)
    for changes, why in (
        ({"global_attention": "mlp"}, r"OpenNMT-py's global_attention = 'mlp' is not covered, only 'general' or 'dot'"),
        ({"encoder_type": "transformer"}, "encoder_type = 'transformer'"),
        ({"copy_attn": True}, "copy_attn = True"),
        ({"n_src_feats": 1}, "n_src_feats = 1"),
        ({"save_format": "safetensors"}, "save_format = 'safetensors'"),
        ({"_all_transform": {"sentencepiece", "prefix"}}, "transforms = 'prefix' is not covered"),
        (
            {"src_subword_model": "en.model", "tgt_subword_model": "de.model"},
            "src_subword_model = 'en.model' and OpenNMT-py's tgt_subword_model = 'de.model' is not covered",
        ),
    ):
        write_opennmt(tmp_path / "model.pt", pieces, **changes)
        with pytest.raises(ImportRefused, match=why):
            opennmt.read(tmp_path / "model.pt")
    for source, changes, why in (
        ({}, {"init_hidden": "last"}, "JoeyNMT's decoder's init_hidden = 'last' is not covered"),
        ({}, {"activation": "relu"}, "JoeyNMT's decoder's activation = 'relu' is not covered"),
        ({"lowercase": True}, {}, "JoeyNMT's src's lowercase = True is not covered"),
        ({"level": "char"}, {}, "JoeyNMT's src's level = 'char' is not covered"),
        ({"tokenizer_type": "subword-nmt"}, {}, "JoeyNMT's src's tokenizer_type = 'subword-nmt' is not covered"),
        (
            {"tokenizer_cfg": {"pretokenizer": "moses"}},
            {},
            "src's tokenizer_cfg's pretokenizer = 'moses'",
        ),
    ):
        write_joeynmt(tmp_path / "best.ckpt", pieces, source, **changes)
        with pytest.raises(ImportRefused, match=why):
            joeynmt.read(tmp_path / "best.ckpt")
    text = {"level": "bpe", "tokenizer_type": "sentencepiece"}
    cutters = {side: {**text, "tokenizer_cfg": {"model_file": f"{side}.model"}} for side in ("src", "trg")}
    for data, why in (
        ({"special_symbols": {"lang_tags": ["<en>", "<de>"]}}, r"special_symbols's lang_tags = \['<en>', '<de>'\]"),
        ({"special_symbols": {"sep_token": "<sep>"}}, "special_symbols's sep_token = '<sep>' is not covered"),
        (cutters, "src's tokenizer_cfg's model_file = 'src.model' and JoeyNMT's trg's .* is not covered"),
    ):
        write_joeynmt(tmp_path / "best.ckpt", pieces, data=data)
        with pytest.raises(ImportRefused, match=why):
            joeynmt.read(tmp_path / "best.ckpt")
    names = write_marian(tmp_path / "model.npz", pieces, skip=True)
    with pytest.raises(ImportRefused, match="Marian's skip = True is not covered, only False"):
        marian.read(tmp_path / "model.npz", names)
    for reader in (opennmt.read, joeynmt.read):
        with pytest.raises(ImportRefused, match=r"nowhere.pt is no checkpoint"):
            reader(tmp_path / "nowhere.pt")


@pytest.mark.parametrize("side", ["source", "target"])
def test_another_models_vocabulary_is_refused(vocabulary: Path, tmp_path: Path, side: str) -> None:
    """On either side: what is unknown as a source is translated as garbage, and what is as a target is never said."""
    pieces, other = pieces_of(vocabulary), [f"▁other{i}" for i in range(30)]
    write_opennmt(tmp_path / "model.pt", *((pieces, other) if side == "source" else (other, pieces)))
    with pytest.raises(ImportRefused, match=f"3 of the model's 34 {side} pieces: is it another"):
        opennmt.read(tmp_path / "model.pt").build(vocabulary, tmp_path / "numbered.model")


@pytest.mark.parametrize("change", [-2, 2])
def test_a_piece_needs_a_row(vocabulary: Path, tmp_path: Path, change: int) -> None:
    """A vocabulary with more or fewer pieces than the embedding has rows is another model's, on either side."""
    pieces = pieces_of(vocabulary)
    rows, found = 2 + len(pieces), 2 + len(pieces) + change
    names = write_marian(tmp_path / "model.npz", pieces)
    changed = (names.read_text(encoding="utf-8") + "▁more\n▁most\n").splitlines()[:found]
    names.write_text("\n".join(changed) + "\n", encoding="utf-8")
    with pytest.raises(ImportRefused, match=f"source embedding has {found} pieces, and its weights {rows} rows"):
        marian.read(tmp_path / "model.npz", names)
    for side, name in (("src", "source"), ("trg", "target")):
        write_joeynmt(tmp_path / "best.ckpt", pieces)
        names = tmp_path / f"{side}_vocab.txt"
        lines = (names.read_text(encoding="utf-8") + "▁more\n▁most\n").splitlines()[: found + 2]
        names.write_text("\n".join(lines) + "\n", encoding="utf-8")
        with pytest.raises(ImportRefused, match=f"{name} embedding has {found + 2} pieces.* {rows + 2} rows"):
            joeynmt.read(tmp_path / "best.ckpt")


def test_a_model_that_may_have_two_vocabularies_is_refused(vocabulary: Path, tmp_path: Path) -> None:
    """Of one size, the wrong one is not noticed, so a caller must say that both sides have the one that is given."""
    path = tmp_path / "model.npz"
    names = write_untied_marian(path, pieces_of(vocabulary))
    with pytest.raises(ImportRefused, match=r"tied-embeddings-all .* say --one-vocabulary if .*model.txt"):
        marian.read(path, names)
    foreign = marian.read(path, names, one_vocabulary=True)
    assert torch.equal(foreign.source_embedding, 2 * foreign.target_embedding)


def test_two_vocabularies_of_different_size_are_refused(vocabulary: Path, tmp_path: Path) -> None:
    """Whatever the caller says."""
    path = tmp_path / "model.npz"
    names = write_untied_marian(path, pieces_of(vocabulary), fewer=5)
    with pytest.raises(ImportRefused, match="or has the model one for each language"):
        marian.read(path, names, one_vocabulary=True)


def test_a_vocabulary_without_an_end_is_refused(vocabulary: Path, tmp_path: Path) -> None:
    """Without </s> a translation would have no end."""
    names = write_marian(tmp_path / "model.npz", pieces_of(vocabulary))
    names.write_text(names.read_text(encoding="utf-8").replace("</s>", "▁end"), encoding="utf-8")
    with pytest.raises(ImportRefused, match="the source vocabulary has no piece </s>"):
        marian.read(tmp_path / "model.npz", names)


def test_a_vocabulary_that_is_no_text_is_refused(vocabulary: Path, tmp_path: Path) -> None:
    write_joeynmt(tmp_path / "best.ckpt", pieces_of(vocabulary))
    (tmp_path / "trg_vocab.txt").write_bytes(b"<unk>\n\xff\n")
    with pytest.raises(ImportRefused, match=r"is no checkpoint of JoeyNMT .* can't decode byte 0xff"):
        joeynmt.read(tmp_path / "best.ckpt")
