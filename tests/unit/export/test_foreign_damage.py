"""Checkpoints of other programs whose options or weights are not what they should be."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
import yaml

from export.foreign import joeynmt, marian, opennmt
from export.foreign.foreign import ImportRefused
from tests.unit.export.checkpoints import pieces_of, write_joeynmt, write_marian, write_opennmt

pytestmark = pytest.mark.torch

Change = Callable[[Any], Any]
EMBEDDING = "encoder.embeddings.make_embedding.emb_luts.0.weight"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda saved: vars(saved["opt"]).pop("enc_hid_size"),
            "OpenNMT-py's enc_hid_size = None must be a whole number",
        ),
        (lambda saved: vars(saved["opt"]).update(dec_layers="two"), "OpenNMT-py's dec_layers = 'two' must be a whole"),
        (lambda saved: vars(saved["opt"]).pop("rnn_type"), "is no checkpoint of OpenNMT-py 3: 'rnn_type' is missing"),
        (lambda saved: saved["opt"].__dict__.update(rnn_type=["LSTM"]), r"OpenNMT-py's rnn_type = \['LSTM'\] is not"),
        (lambda saved: saved.update(vocab=[]), "is no checkpoint of OpenNMT-py 3: "),
        (lambda saved: saved["model"].update({EMBEDDING: torch.zeros(3)}), "is no checkpoint of OpenNMT-py 3: "),
        (lambda saved: saved["model"].update({EMBEDDING: "none"}), "is no checkpoint of OpenNMT-py 3: "),
    ],
)
def test_opennmt(vocabulary: Path, tmp_path: Path, change: Change, why: str) -> None:
    path = tmp_path / "model.pt"
    saved = write_opennmt(path, pieces_of(vocabulary))
    change(saved)
    torch.save(saved, path)
    with pytest.raises(ImportRefused, match=why):
        opennmt.read(path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda model: model["encoder"].pop("hidden_size"), "JoeyNMT's encoder's hidden_size = None must be a whole"),
        (
            lambda model: model["decoder"].update(hidden_size=8.5),
            "JoeyNMT's decoder's hidden_size = 8.5 must be a whole",
        ),
        (lambda model: model["decoder"].update(num_layers=0), "num_layers = 0 must be a whole number of at least 1"),
        (
            lambda model: model["encoder"].update(bidirectional=[]),
            r"vocabularies: bidirectional = \[\]: Input should be",
        ),
        (
            lambda model: model.update(encoder=["gru"]),
            r"JoeyNMT's encoder's options are \['gru'\], not names with values",
        ),
        (lambda model: model.update(decoder="gru"), "is no checkpoint of JoeyNMT with config.yaml and vocabularies: "),
        (lambda model: model.clear(), "vocabularies: 'encoder' is missing"),
    ],
)
def test_joeynmt(vocabulary: Path, tmp_path: Path, change: Change, why: str) -> None:
    path, options = tmp_path / "best.ckpt", tmp_path / "config.yaml"
    write_joeynmt(path, pieces_of(vocabulary))
    configuration = yaml.safe_load(options.read_text(encoding="utf-8"))
    change(configuration["model"])
    options.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    with pytest.raises(ImportRefused, match=why):
        joeynmt.read(path)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({marian.OPTIONS: numpy.frombuffer(b"\0", numpy.int8)}, "Marian's options are None, not names with values"),
        (
            {marian.OPTIONS: numpy.frombuffer(b"tied-embeddings-all: true", numpy.int8)},
            "Marian's dim-rnn = None must be",
        ),
        ({"Wemb": numpy.zeros(3)}, "is no model of Marian with a vocabulary .*txt: "),
        ({"decoder_ff_state_b": numpy.zeros(())}, "is no model of Marian with a vocabulary .*txt: "),
    ],
)
def test_marian(vocabulary: Path, tmp_path: Path, arrays: dict[str, Any], why: str) -> None:
    path = tmp_path / "model.npz"
    names = write_marian(path, pieces_of(vocabulary))
    with numpy.load(path) as file:
        numpy.savez(path, **{**file, **arrays})
    with pytest.raises(ImportRefused, match=why):
        marian.read(path, names)


def test_marian_whose_option_is_no_number(vocabulary: Path, tmp_path: Path) -> None:
    names = write_marian(tmp_path / "model.npz", pieces_of(vocabulary), **{"dim-rnn": "x"})
    with pytest.raises(ImportRefused, match="Marian's dim-rnn = 'x' must be a whole number of at least 1"):
        marian.read(tmp_path / "model.npz", names)
