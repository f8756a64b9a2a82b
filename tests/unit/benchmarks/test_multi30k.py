"""The published benchmark is measured as papers do."""

import pytest

from benchmarks.multi30k import score, tokenize
from tests.server_process import ROOT

REFERENCE = ROOT.parent / "shared" / "data" / "multi30k" / "test_2016_flickr.de.txt"


@pytest.mark.skipif(not REFERENCE.is_file(), reason=f"Multi30k is not here ({REFERENCE.name})")
def test_the_reference_has_its_published_length() -> None:
    """That of data/task1/tok, to the token."""
    lines = REFERENCE.read_text("utf-8").splitlines()
    assert sum(len(line.split()) for line in tokenize(lines, "de")) == 12_103


def test_texts_are_prepared_as_the_references_were() -> None:
    """Lower case, one kind of quotes and dashes, tokens apart, hyphens kept, nothing escaped."""
    said = ["Ein „roter“ Hund läuft \N{EN DASH} im Park.", "R&B-Musik, 2,5 km"]
    assert tokenize(said, "de") == ['ein " roter " hund läuft - im park .', "r & b-musik , 2,5 km"]


def test_both_scores() -> None:
    """Case and punctuation's kind cost one of the two alone; a text without a match of four words has no score."""
    reference = ["Ein großer Hund läuft schnell durch den Park."]
    same = score(["ein großer hund läuft schnell durch den park."], reference, "de")
    assert same.tokenized == pytest.approx(100)
    assert same.cased < 90
    assert score(["Ein Hund geht durch einen Park."], reference, "de").tokenized == 0
