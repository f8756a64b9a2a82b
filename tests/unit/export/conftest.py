"""Skip this folder, with the reason, where PyTorch is missing; keep every test on one thread."""

from tests.unit.models.conftest import _one_thread_and_one_seed, pytest_pycollect_makemodule

__all__ = ["_one_thread_and_one_seed", "pytest_pycollect_makemodule"]
