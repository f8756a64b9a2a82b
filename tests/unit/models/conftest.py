"""Skip this folder, with the reason, where PyTorch is missing; keep every test on one thread."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest


class _Skipped(pytest.Module):
    """Stand for a module whose imports would fail."""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        """Skip instead of importing the module."""
        pytest.skip("needs PyTorch (make test installs it)", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Replace the modules of this folder where there is no torch."""
    if importlib.util.find_spec("torch") is not None:
        return None
    skipped: pytest.Module = _Skipped.from_parent(parent, path=module_path)
    return skipped


@pytest.fixture(autouse=True)
def _one_thread_and_one_seed() -> Iterator[None]:
    """Run on one thread, so that sums have one order, and from one seed."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write 60 pairs to learn from, and the first 20 of them to validate with."""
    from tests.unit.models.factories import lexicon_pairs, write_tsv

    pairs, root = lexicon_pairs(60), tmp_path / "data"
    write_tsv(root / "train.tsv", pairs)
    write_tsv(root / "valid.tsv", pairs[:20])
    return root
