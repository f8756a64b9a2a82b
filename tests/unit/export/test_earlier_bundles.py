"""A bundle that cannot be exported again says why; tests/integration/test_export.py exports one that can be."""

from pathlib import Path

import pytest

from tests.earlier_bundles import FIRST, unpack

pytest.importorskip("torch")
pytestmark = pytest.mark.torch


def test_first_bundle_asks_for_its_run(tmp_path: Path) -> None:
    """Its encoder keeps the weights in another order: it is served, and not restored."""
    from export.restore import RestoreError, restore

    with pytest.raises(RestoreError, match=r"export the training run again \(python -m export RUN MODEL_REPOSITORY/xx"):
        restore(unpack(FIRST, tmp_path))
