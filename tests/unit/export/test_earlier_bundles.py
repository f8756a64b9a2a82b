"""A bundle that an earlier commit wrote can be exported again, or says why not."""

from pathlib import Path

import pytest

from tests.earlier_bundles import FIRST, TABLES, unpack

pytest.importorskip("torch")
pytestmark = pytest.mark.torch


def test_bundle_with_tables_is_exported_again(tmp_path: Path) -> None:
    """What the command writes of it is a whole bundle of the same golden translations."""
    from export.exporter import Options, export
    from service.bundle import read_bundle

    old = unpack(TABLES, tmp_path / "old")
    new = read_bundle(export(Options(run=old, target=tmp_path / "new" / "xx-yy")))
    before = {golden.source: golden.outputs["fp32"] for golden in read_bundle(old).manifest.golden}
    assert {golden.source: golden.outputs["fp32"] for golden in new.manifest.golden}.items() <= before.items()


def test_first_bundle_asks_for_its_run(tmp_path: Path) -> None:
    """Its encoder keeps the weights in another order: it is served, and not restored."""
    from export.restore import RestoreError, restore

    with pytest.raises(RestoreError, match=r"export the training run again \(python -m export RUN MODEL_REPOSITORY/xx"):
        restore(unpack(FIRST, tmp_path))
