"""Marks and skips that hold for all tests."""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

TESTS = Path(__file__).parent
FOLDERS = ("unit", "integration", "e2e")
SHARED_DATA = TESTS.parent.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder; skip, with the reason, what this machine has no means for."""
    for item in items:
        for folder in FOLDERS:
            if item.path.is_relative_to(TESTS / folder):
                item.add_marker(folder)
    if importlib.util.find_spec("torch") is None:
        _skip(items, "torch", "torch is not installed (make test installs it)")
    if not SHARED_DATA.is_dir():
        _skip(items, "shared_data", f"there is no {SHARED_DATA.parent.name}/{SHARED_DATA.name} beside the project")


def _skip(items: list[pytest.Item], marker: str, reason: str) -> None:
    for item in items:
        if item.get_closest_marker(marker):
            item.add_marker(pytest.mark.skip(reason=reason))
