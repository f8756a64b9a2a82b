"""Marian translates whatever the sentences hold."""

import pytest

from benchmarks.peers import marian


@pytest.mark.skipif(bool(marian.missing()), reason=marian.missing())
def test_pieces_outside_the_vocabulary_are_translated() -> None:
    """A source piece that is in no vocabulary is forced into the translation like any other."""
    sources = [["▁", "#", "▁8", "▁for", "▁I"], ["▁We"]]

    assert marian.run(sources, [7, 2], "fp32").target_tokens == 9
