"""Checkpoints of other programs, small and made here; benchmarks/import_agreement.py asks the programs themselves."""

import argparse
import io
import os
from pathlib import Path
from typing import Any

import numpy
import pytest
import sentencepiece
import torch
import yaml
from torch import Tensor, nn

from export.errors import ExportError
from export.foreign import joeynmt, marian, opennmt
from export.foreign.command import run
from export.foreign.foreign import NEVER, Foreign, ImportRefused, from_torch
from export.foreign.vocabulary import SPECIAL, joint
from models.data import pad_sources
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from tests.unit.models.factories import lexicon_pairs

pytestmark = pytest.mark.torch

E, H = 6, 8
PAIRS = lexicon_pairs(80, seed=3)


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a vocabulary with numbers unlike ours: SentencePiece's own defaults, without padding."""
    path = tmp_path_factory.mktemp("foreign") / "their.model"
    sides = [side for pair in PAIRS for side in pair]
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sides), model_writer=file, vocab_size=44, minloglevel=2
        )
    return path


def _pieces(path: Path) -> list[str]:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [processor.id_to_piece(i) for i in range(3, processor.vocab_size())]


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape) * 0.5


def _filled(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def _state(module: nn.Module, name: str) -> dict[str, Tensor]:
    return {f"{name}.{key}": tensor.detach().clone() for key, tensor in module.state_dict().items()}


def _opennmt(path: Path, pieces: list[str], source: list[str] | None = None, **changes: Any) -> dict[str, Any]:
    """Write a checkpoint as OpenNMT-py 3.5 does, with `source` pieces unless they are the target's."""
    kind = changes.get("rnn_type", "LSTM")
    rnn, cell = (nn.LSTM, nn.LSTMCell) if kind == "LSTM" else (nn.GRU, nn.GRUCell)
    options = {
        "encoder_type": "brnn", "decoder_type": "rnn", "rnn_type": kind, "enc_layers": 1, "dec_layers": 1,
        "enc_hid_size": H, "dec_hid_size": H, "global_attention": "general", "input_feed": 1,
        "generator_function": "softmax", "copy_attn": False, "coverage_attn": False, "context_gate": None, **changes,
    }  # fmt: skip
    special = ["<unk>", "<blank>", "<s>", "</s>"]
    sides = {"src": [*special, *(source or pieces[::-1])], "tgt": [*special, *pieces]}
    lut = "embeddings.make_embedding.emb_luts.0.weight"
    state = {f"{side}.{lut}": _random(len(sides[key]), E) for side, key in (("encoder", "src"), ("decoder", "tgt"))}
    state |= _state(_filled(rnn(E, H // 2, bidirectional=True)), "encoder.rnn")
    state |= _state(_filled(cell(E + H, H)), "decoder.rnn.layers.0")
    state |= {"decoder.attn.linear_in.weight": _random(H, H), "decoder.attn.linear_out.weight": _random(H, 2 * H)}
    generator = {"weight": _random(len(sides["tgt"]), H), "bias": _random(len(sides["tgt"]))}
    checkpoint = {
        "model": state, "generator": generator, "opt": argparse.Namespace(**options),
        "vocab": {**sides, "data_task": "seq2seq", "decoder_start_token": "<s>"}, "optim": {"step": 3},
    }  # fmt: skip
    torch.save(checkpoint, path)
    return checkpoint


def _joeynmt(
    path: Path,
    pieces: list[str],
    source: dict[str, Any] | None = None,
    tied: bool = False,
    data: dict[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Tensor]:
    """Write a checkpoint, the configuration and vocabularies as JoeyNMT 2.3 does; `changes` are the decoder's."""
    encoder = {"type": "recurrent", "rnn_type": "gru", "hidden_size": 5, "bidirectional": True, "num_layers": 1}
    decoder = {
        "type": "recurrent", "rnn_type": "gru", "hidden_size": H, "num_layers": 2, "attention": "bahdanau",
        "init_hidden": "bridge", "input_feeding": True, "embeddings": {"scale": True}, **changes,
    }  # fmt: skip
    rows = ["<unk>", "<pad>", "<s>", "</s>", *pieces]
    attention = "decoder.attention"
    state = {
        "src_embed.lut.weight": _random(len(rows), E), "trg_embed.lut.weight": _random(len(rows), E),
        "decoder.att_vector_layer.weight": _random(H, H + 10), "decoder.att_vector_layer.bias": _random(H),
        "decoder.output_layer.weight": _random(len(rows), H), f"{attention}.key_layer.weight": _random(H, 10),
        f"{attention}.query_layer.weight": _random(H, H), f"{attention}.energy_layer.weight": _random(1, H),
        "decoder.bridge_layer.weight": _random(H, 10), "decoder.bridge_layer.bias": _random(H),
    }  # fmt: skip
    state |= _state(_filled(nn.GRU(E, 5, bidirectional=True)), "encoder.rnn")
    state |= _state(_filled(nn.GRU(E + H, H, num_layers=2)), "decoder.rnn")
    torch.save({"model_state": state, "steps": 7}, path)
    text = {"level": "bpe", "tokenizer_type": "sentencepiece"}
    configuration = {
        "data": {"src": {**text, **(source or {})}, "trg": text, **(data or {})},
        "model": {"encoder": encoder, "decoder": decoder, "tied_embeddings": tied},
    }
    (path.parent / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    for side in ("src", "trg"):
        (path.parent / f"{side}_vocab.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return state


def _marian(path: Path, pieces: list[str], **changes: Any) -> Path:
    """Write a model and its vocabulary as Marian does; returns the vocabulary."""
    options = {"type": "s2s", "enc-type": "bidirectional", "dim-rnn": H, "tied-embeddings-all": True, **changes}
    rows = ["</s>", "<unk>", *pieces]
    shapes: dict[str, tuple[int, ...]] = {
        "Wemb": (len(rows), E), "decoder_U_att": (2 * H, 1), "decoder_W_comb_att": (H, 2 * H),
        "decoder_Wc_att": (2 * H, 2 * H), "decoder_b_att": (1, 2 * H), "decoder_ff_logit_l1_W0": (E, E),
        "decoder_ff_logit_l1_W1": (H, E), "decoder_ff_logit_l1_W2": (2 * H, E), "decoder_ff_logit_l2_b": (1, len(rows)),
        "decoder_ff_state_W": (2 * H, H), "decoder_ff_state_b": (1, H),
        **{f"decoder_ff_logit_l1_b{i}": (1, E) for i in range(3)},
    }  # fmt: skip
    for cell, read in {"encoder_bi": E, "encoder_bi_r": E, "decoder_cell1": E, "decoder_cell2": 2 * H}.items():
        shapes |= {f"{cell}_W": (read, 2 * H), f"{cell}_Wx": (read, H), f"{cell}_U": (H, 2 * H), f"{cell}_Ux": (H, H)}
        shapes |= {f"{cell}_b": (1, 2 * H), f"{cell}_bx": (1, H)}
    arrays = {name: _random(*shape).numpy() for name, shape in shapes.items()}
    arrays["special:model.yml"] = numpy.frombuffer(yaml.safe_dump(options).encode() + b"\0", numpy.int8)
    numpy.savez(path, **arrays)
    names = path.with_suffix(".txt")
    names.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return names


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
    pieces = _pieces(vocabulary)
    saved = _opennmt(tmp_path / "model.pt", pieces, rnn_type=kind)
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
    pieces = _pieces(vocabulary)
    state = _joeynmt(tmp_path / "best.ckpt", pieces, attention=attention)
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
    pieces = _pieces(vocabulary)
    longest = max(pieces, key=len)
    _joeynmt(tmp_path / "best.ckpt", pieces, {"level": level})
    kept = [piece for piece in pieces if piece not in (longest, longest[-1])]
    names = tmp_path / "src_vocab.txt"
    names.write_text("\n".join(["<unk>", "<pad>", "<s>", "</s>", *kept, "<i>", "<j>"]) + "\n", encoding="utf-8")
    tokenizer, _ = joeynmt.read(tmp_path / "best.ckpt").build(vocabulary, tmp_path / "numbered.model")
    numbers = tokenizer.encode([longest.replace("▁", " ")])[0]
    assert (longest in tokenizer.pieces(numbers)) is not unused
    assert numbers[-1] != UNK_ID


def test_joeynmt_scales_shared_embeddings_as_the_encoder(vocabulary: Path, tmp_path: Path) -> None:
    """With tied_embeddings its decoder has the encoder's module, and what the decoder's options say is not read."""
    pieces = _pieces(vocabulary)
    state = _joeynmt(tmp_path / "best.ckpt", pieces, tied=True)
    foreign = joeynmt.read(tmp_path / "best.ckpt")
    assert torch.equal(foreign.target_embedding, state["trg_embed.lut.weight"])


@torch.no_grad()
def test_marian_begins_with_nothing_and_says_no_padding(vocabulary: Path, tmp_path: Path) -> None:
    """Its first input is zeros, its gates are r, z, n, and what it does not have is never said."""
    names = _marian(tmp_path / "model.npz", _pieces(vocabulary))
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
    assert not probabilities[:, [PAD_ID, BOS_ID]].any()
    assert probabilities[:, EOS_ID].all()


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
    pieces = _pieces(vocabulary)
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
        _opennmt(tmp_path / "model.pt", pieces, **changes)
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
        _joeynmt(tmp_path / "best.ckpt", pieces, source, **changes)
        with pytest.raises(ImportRefused, match=why):
            joeynmt.read(tmp_path / "best.ckpt")
    text = {"level": "bpe", "tokenizer_type": "sentencepiece"}
    cutters = {side: {**text, "tokenizer_cfg": {"model_file": f"{side}.model"}} for side in ("src", "trg")}
    for data, why in (
        ({"special_symbols": {"lang_tags": ["<en>", "<de>"]}}, r"special_symbols's lang_tags = \['<en>', '<de>'\]"),
        ({"special_symbols": {"sep_token": "<sep>"}}, "special_symbols's sep_token = '<sep>' is not covered"),
        (cutters, "src's tokenizer_cfg's model_file = 'src.model' and JoeyNMT's trg's .* is not covered"),
    ):
        _joeynmt(tmp_path / "best.ckpt", pieces, data=data)
        with pytest.raises(ImportRefused, match=why):
            joeynmt.read(tmp_path / "best.ckpt")
    names = _marian(tmp_path / "model.npz", pieces, skip=True)
    with pytest.raises(ImportRefused, match="Marian's skip = True is not covered, only False"):
        marian.read(tmp_path / "model.npz", names)
    for reader in (opennmt.read, joeynmt.read):
        with pytest.raises(ImportRefused, match=r"nowhere.pt is no checkpoint"):
            reader(tmp_path / "nowhere.pt")


def test_what_is_never_said_is_told_apart_as_finely_as_parity_asks(vocabulary: Path, tmp_path: Path) -> None:
    """Its log-probability, the logit less log sum exp, is rounded twice in fp32, by less than an export allows."""
    _opennmt(tmp_path / "model.pt", _pieces(vocabulary)[1:])
    model, _ = _build(opennmt.read(tmp_path / "model.pt"), vocabulary, tmp_path)
    said = torch.log_softmax(_logits(model, [8, 9], [10]), -1).detach()
    least = said.min(-1).values.numpy()
    assert (least < NEVER / 2).all()
    assert (2 * numpy.spacing(abs(least)) < 1e-4).all()


@pytest.mark.parametrize("side", ["source", "target"])
def test_another_models_vocabulary_is_refused(vocabulary: Path, tmp_path: Path, side: str) -> None:
    """On either side: what is unknown as a source is translated as garbage, and what is as a target is never said."""
    pieces, other = _pieces(vocabulary), [f"▁other{i}" for i in range(30)]
    _opennmt(tmp_path / "model.pt", *((pieces, other) if side == "source" else (other, pieces)))
    with pytest.raises(ImportRefused, match=f"3 of the model's 34 {side} pieces: is it another"):
        opennmt.read(tmp_path / "model.pt").build(vocabulary, tmp_path / "numbered.model")


@pytest.mark.parametrize("change", [-2, 2])
def test_a_piece_needs_a_row(vocabulary: Path, tmp_path: Path, change: int) -> None:
    """A vocabulary with more or fewer pieces than the embedding has rows is another model's, on either side."""
    pieces = _pieces(vocabulary)
    rows, found = 2 + len(pieces), 2 + len(pieces) + change
    names = _marian(tmp_path / "model.npz", pieces)
    changed = (names.read_text(encoding="utf-8") + "▁more\n▁most\n").splitlines()[:found]
    names.write_text("\n".join(changed) + "\n", encoding="utf-8")
    with pytest.raises(ImportRefused, match=f"source embedding has {found} pieces, and its weights {rows} rows"):
        marian.read(tmp_path / "model.npz", names)
    for side, name in (("src", "source"), ("trg", "target")):
        _joeynmt(tmp_path / "best.ckpt", pieces)
        names = tmp_path / f"{side}_vocab.txt"
        lines = (names.read_text(encoding="utf-8") + "▁more\n▁most\n").splitlines()[: found + 2]
        names.write_text("\n".join(lines) + "\n", encoding="utf-8")
        with pytest.raises(ImportRefused, match=f"{name} embedding has {found + 2} pieces.* {rows + 2} rows"):
            joeynmt.read(tmp_path / "best.ckpt")


def test_two_vocabularies_of_different_size_are_refused(vocabulary: Path, tmp_path: Path) -> None:
    """Marian's models may have one for each language; an import takes one for both."""
    pieces = _pieces(vocabulary)
    path = tmp_path / "model.npz"
    names = _marian(path, pieces, **{"tied-embeddings-all": False, "tied-embeddings": True})
    with numpy.load(path) as file:
        arrays = dict(file)
    arrays["decoder_Wemb"] = arrays.pop("Wemb")
    arrays["encoder_Wemb"] = arrays["decoder_Wemb"][:-5]
    numpy.savez(path, **arrays)
    with pytest.raises(ImportRefused, match="or has the model one for each language"):
        marian.read(path, names)


def test_a_vocabulary_without_an_end_is_refused(vocabulary: Path, tmp_path: Path) -> None:
    """Without </s> a translation would have no end."""
    names = _marian(tmp_path / "model.npz", _pieces(vocabulary))
    names.write_text(names.read_text(encoding="utf-8").replace("</s>", "▁end"), encoding="utf-8")
    with pytest.raises(ImportRefused, match="the source vocabulary has no piece </s>"):
        marian.read(tmp_path / "model.npz", names)


def test_gates_are_put_into_our_order() -> None:
    """GRU r, z, n becomes z, r, n; LSTM i, f, g, o becomes i, o, f, g."""
    assert from_torch("gru", torch.tensor([0, 1, 2])).tolist() == [1, 0, 2]
    assert from_torch("lstm", torch.tensor([0, 1, 2, 3])).tolist() == [0, 3, 1, 2]


def test_an_import_is_a_bundle_that_is_served(vocabulary: Path, tmp_path: Path) -> None:
    """The command writes a version whose golden translations a server replays, with eos behind each source."""
    names = _marian(tmp_path / "model.npz", _pieces(vocabulary))
    golden = tmp_path / "golden.txt"
    golden.write_text("\n".join(source for source, _ in lexicon_pairs(200, seed=8)), encoding="utf-8")
    arguments = ["marian", str(tmp_path / "model.npz"), str(tmp_path / "repository" / "en-de"), "--pieces", str(names)]
    flags = ["--vocabulary", str(vocabulary), "--languages", "en", "de", "--golden", str(golden)]
    folder = run([*arguments, *flags])
    from service.bundle import read_bundle

    manifest = read_bundle(folder).manifest
    assert manifest.source_end
    assert manifest.golden
    assert manifest.training_data == ("imported from marian",)
