"""`python -m export import` as a user meets it."""

from pathlib import Path

import pytest

from export.foreign.command import run
from service.bundle import read_bundle
from tests.unit.export.checkpoints import pieces_of, write_marian
from tests.unit.models.factories import lexicon_pairs

pytestmark = pytest.mark.torch


def test_an_import_is_a_bundle_that_is_served(vocabulary: Path, tmp_path: Path) -> None:
    """The command writes a version whose golden translations a server replays, with eos behind each source."""
    names = write_marian(tmp_path / "model.npz", pieces_of(vocabulary))
    golden = tmp_path / "golden.txt"
    golden.write_text("\n".join(source for source, _ in lexicon_pairs(200, seed=8)), encoding="utf-8")
    arguments = ["marian", str(tmp_path / "model.npz"), str(tmp_path / "repository" / "en-de"), "--pieces", str(names)]
    flags = ["--vocabulary", str(vocabulary), "--languages", "en", "de", "--golden", str(golden)]
    folder = run([*arguments, *flags])
    manifest = read_bundle(folder).manifest
    assert manifest.source_end
    assert manifest.golden
    assert manifest.training_data == ("imported from marian",)
