"""Checkpoints of other programs become our models; benchmarks/import_agreement.py asks the programs themselves."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import sentencepiece
import torch
from torch import Tensor, nn

from export.errors import ExportError
from export.foreign import joeynmt, marian, opennmt
from export.foreign.foreign import NEVER, Foreign, from_torch
from export.foreign.vocabulary import SPECIAL, joint
from models.data import pad_sources
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from tests.unit.export.checkpoints import PAIRS, E, H, pieces_of, write_joeynmt, write_marian, write_opennmt

pytestmark = pytest.mark.torch


def _logits(model: Seq2Seq, source: list[int], target: list[int]) -> Tensor:
    memory, state = model.encode(*pad_sources([source], model.config.source_end))
    found = []
    for word in [BOS_ID, *target]:
        logits, state, _ = model.step(torch.tensor([[word]]), state, memory)
        found.append(logits[0, 0])
    return torch.stack(found)


def _build(foreign: Foreign, vocabulary: Path, folder: Path) -> tuple[Seq2Seq, list[str]]:
    tokenizer, model = foreign.build(vocabulary, folder / "numbered.model")
    return model, tokenizer.pieces(range(len(tokenizer)))


def test_a_vocabulary_keeps_how_it_cuts(vocabulary: Path, tmp_path: Path) -> None:
    """The pieces of a text are the same; only their numbers change, to ours."""
    pieces = joint(vocabulary, tmp_path / "numbered.model")
    theirs, ours = (
        sentencepiece.SentencePieceProcessor(model_file=str(path)) for path in (vocabulary, tmp_path / "numbered.model")
    )
    assert tuple(pieces[:4]) == SPECIAL
    assert (ours.pad_id(), ours.unk_id(), ours.bos_id(), ours.eos_id()) == (0, 1, 2, 3)
    for source, target in PAIRS:
        for text in (source, target, source.upper()):
            assert ours.encode(text, out_type=str) == theirs.encode(text, out_type=str)
    with pytest.raises(ExportError, match="is no SentencePiece model"):
        joint(Path(__file__), tmp_path / "none.model")


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@torch.no_grad()
def test_opennmt_computes_what_its_modules_do(vocabulary: Path, tmp_path: Path, kind: str) -> None:
    """Two words by PyTorch's own modules, with input feeding and general attention as OpenNMT-py writes them."""
    pieces = pieces_of(vocabulary)
    saved = write_opennmt(tmp_path / "model.pt", pieces, rnn_type=kind)
    model, ours = _build(opennmt.read(tmp_path / "model.pt"), vocabulary, tmp_path)
    state, vocabularies = saved["model"], saved["vocab"]
    source, target = [7, 9, 20], [11]
    rnn: Any = (nn.LSTM if kind == "LSTM" else nn.GRU)(E, H // 2, bidirectional=True)
    rnn.load_state_dict({k.removeprefix("encoder.rnn."): v for k, v in state.items() if k.startswith("encoder.rnn.")})
    cell: Any = (nn.LSTMCell if kind == "LSTM" else nn.GRUCell)(E + H, H)
    prefix = "decoder.rnn.layers.0."
    cell.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    lut = "embeddings.make_embedding.emb_luts.0.weight"
    rows = torch.tensor([vocabularies["src"].index(ours[i]) for i in source])
    memory, last = rnn(state[f"encoder.{lut}"][rows])
    first = tuple(torch.cat([one[0], one[1]], -1)[None] for one in (last if kind == "LSTM" else (last,)))
    hidden: Any = first if kind == "LSTM" else first[0]
    feed, words = torch.zeros(1, H), ["<s>", ours[target[0]]]
    order = torch.tensor([vocabularies["tgt"].index(piece) for piece in ours[4:]])
    for step, word in enumerate(words):
        embedded = state[f"decoder.{lut}"][vocabularies["tgt"].index(word)][None]
        hidden = cell(torch.cat([embedded, feed], 1), hidden)
        output = hidden[0] if kind == "LSTM" else hidden
        weights = torch.softmax(memory @ (state["decoder.attn.linear_in.weight"] @ output[0]), 0)
        joined = torch.cat([weights @ memory, output[0]])
        feed = torch.tanh(state["decoder.attn.linear_out.weight"] @ joined)[None]
        logits = (saved["generator"]["weight"] @ feed[0] + saved["generator"]["bias"])[order]
        torch.testing.assert_close(_logits(model, source, target)[step, 4:], logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attention", ["bahdanau", "luong"])
@torch.no_grad()
def test_joeynmt_computes_what_its_modules_do(vocabulary: Path, tmp_path: Path, attention: str) -> None:
    """One word by PyTorch's own modules, over a source that ends with eos."""
    pieces = pieces_of(vocabulary)
    state = write_joeynmt(tmp_path / "best.ckpt", pieces, attention=attention)
    model, ours = _build(joeynmt.read(tmp_path / "best.ckpt"), vocabulary, tmp_path)
    rows = ["<unk>", "<pad>", "<s>", "</s>", *pieces]
    source = [7, 9, 20]
    encoder, decoder = nn.GRU(E, 5, bidirectional=True), nn.GRU(E + H, H, num_layers=2)
    for module, prefix in ((encoder, "encoder.rnn."), (decoder, "decoder.rnn.")):
        module.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    read = torch.tensor([rows.index(piece) for piece in (*(ours[i] for i in source), "</s>")])
    memory, last = encoder(state["src_embed.lut.weight"][read])
    start = torch.tanh(state["decoder.bridge_layer.weight"] @ last.flatten() + state["decoder.bridge_layer.bias"])
    embedded = state["trg_embed.lut.weight"][rows.index("<s>")] * E**0.5
    _, hidden = decoder(torch.cat([embedded, torch.zeros(H)])[None], start.repeat(2, 1))
    query, keys = hidden[-1], memory @ state["decoder.attention.key_layer.weight"].t()
    energies = keys @ query
    if attention == "bahdanau":
        mixed = torch.tanh(keys + state["decoder.attention.query_layer.weight"] @ query)
        energies = mixed @ state["decoder.attention.energy_layer.weight"][0]
    context = torch.softmax(energies, 0) @ memory
    joined = state["decoder.att_vector_layer.weight"] @ torch.cat([query, context])
    vector = torch.tanh(joined + state["decoder.att_vector_layer.bias"])
    order = torch.tensor([rows.index(piece) for piece in ours[4:]])
    expected = (state["decoder.output_layer.weight"] @ vector)[order]
    torch.testing.assert_close(_logits(model, source, [])[0, 4:], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("level", "unused"), [("bpe", True), ("word", False)])
def test_joeynmt_cuts_into_what_its_source_has(vocabulary: Path, tmp_path: Path, level: str, unused: bool) -> None:
    """As SentencePiece's SetVocabulary, which JoeyNMT calls: another piece falls apart, its characters do not."""
    pieces = pieces_of(vocabulary)
    longest = max(pieces, key=len)
    write_joeynmt(tmp_path / "best.ckpt", pieces, {"level": level})
    kept = [piece for piece in pieces if piece not in (longest, longest[-1])]
    names = tmp_path / "src_vocab.txt"
    names.write_text("\n".join(["<unk>", "<pad>", "<s>", "</s>", *kept, "<i>", "<j>"]) + "\n", encoding="utf-8")
    tokenizer, _ = joeynmt.read(tmp_path / "best.ckpt").build(vocabulary, tmp_path / "numbered.model")
    numbers = tokenizer.encode([longest.replace("▁", " ")])[0]
    assert (longest in tokenizer.pieces(numbers)) is not unused
    assert numbers[-1] != UNK_ID


def test_joeynmt_scales_shared_embeddings_as_the_encoder(vocabulary: Path, tmp_path: Path) -> None:
    """With tied_embeddings its decoder has the encoder's module, and what the decoder's options say is not read."""
    pieces = pieces_of(vocabulary)
    state = write_joeynmt(tmp_path / "best.ckpt", pieces, tied=True)
    foreign = joeynmt.read(tmp_path / "best.ckpt")
    assert torch.equal(foreign.target_embedding, state["trg_embed.lut.weight"])


@torch.no_grad()
def test_marian_begins_with_nothing_and_says_neither_padding_nor_unknown(vocabulary: Path, tmp_path: Path) -> None:
    """Its first input is zeros, its gates are r, z, n, and what it does not have, and <unk>, is never said."""
    names = write_marian(tmp_path / "model.npz", pieces_of(vocabulary))
    foreign = marian.read(tmp_path / "model.npz", names)
    model, _ = _build(foreign, vocabulary, tmp_path)
    assert not model.target_embedding.weight[BOS_ID].any()
    with numpy.load(tmp_path / "model.npz") as arrays:
        reset, update = numpy.split(arrays["encoder_bi_U"], 2, axis=1)
        whole = numpy.concatenate([update, reset, arrays["encoder_bi_Ux"]], 1).T
    assert numpy.array_equal(model.get_parameter("encoder.layers.0.0.recurrent.weight").numpy(), whole)
    assert model.get_parameter("decoder.context_cell.recurrent.bias")[2 * H :].any()
    assert not model.get_parameter("decoder.cell.recurrent.bias").any()
    probabilities = torch.softmax(_logits(model, [8, 9], [10]), -1)
    assert not probabilities[:, [PAD_ID, BOS_ID, UNK_ID]].any()
    assert probabilities[:, EOS_ID].all()


def test_what_is_never_said_is_told_apart_as_finely_as_parity_asks(vocabulary: Path, tmp_path: Path) -> None:
    """Its log-probability, the logit less log sum exp, is rounded twice in fp32, by less than an export allows."""
    write_opennmt(tmp_path / "model.pt", pieces_of(vocabulary)[1:])
    model, _ = _build(opennmt.read(tmp_path / "model.pt"), vocabulary, tmp_path)
    said = torch.log_softmax(_logits(model, [8, 9], [10]), -1).detach()
    least = said.min(-1).values.numpy()
    assert (least < NEVER / 2).all()
    assert (2 * numpy.spacing(abs(least)) < 1e-4).all()


def test_gates_are_put_into_our_order() -> None:
    """GRU r, z, n becomes z, r, n; LSTM i, f, g, o becomes i, o, f, g."""
    assert from_torch("gru", torch.tensor([0, 1, 2])).tolist() == [1, 0, 2]
    assert from_torch("lstm", torch.tensor([0, 1, 2, 3])).tolist() == [0, 3, 1, 2]
