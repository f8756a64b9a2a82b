"""The vocabulary of the bundle that is served out of the box."""

from pathlib import Path

import pytest
from hypothesis import settings

from service.vocabulary import Vocabulary

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

MODEL = Path(__file__).parents[4] / "model_repository" / "en-de" / "1" / "vocabulary.model"


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    """Load the vocabulary."""
    return Vocabulary(MODEL, 8000)
