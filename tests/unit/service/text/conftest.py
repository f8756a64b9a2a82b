"""The vocabulary of the bundle that is served out of the box."""

from pathlib import Path

import pytest

from service.vocabulary import Vocabulary

MODEL = Path(__file__).parents[4] / "model_repository" / "en-de" / "1" / "vocabulary.model"


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    """Load the vocabulary."""
    return Vocabulary(MODEL, 8000)
