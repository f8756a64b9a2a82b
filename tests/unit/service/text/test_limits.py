"""A text that holds too much of one kind is refused."""

import pytest

from service.text.limits import MAX_SEGMENTS, MAX_TAGS, TooMuch
from service.text.options import TextOptions
from service.text.protect import protect
from service.text.sentences import split


def test_tags() -> None:
    """As many as the limit are fine."""
    options = TextOptions(tags=True)
    assert len(protect("<b>" * MAX_TAGS, options).tags) == MAX_TAGS
    with pytest.raises(TooMuch, match=f"more than {MAX_TAGS} tags") as caught:
        protect("<b>" * (MAX_TAGS + 1), options)
    assert (caught.value.what, caught.value.limit) == ("tags", MAX_TAGS)
    assert protect("<b>" * (MAX_TAGS + 1), TextOptions()).tags == ()


@pytest.mark.parametrize("line", ["Yes.\n", "Yes. ", "是。"])
def test_segments(line: str) -> None:
    """As many as the limit are fine."""
    assert len(split(line * MAX_SEGMENTS, "en")) == MAX_SEGMENTS
    with pytest.raises(TooMuch, match=f"more than {MAX_SEGMENTS} sentences"):
        split(line * (MAX_SEGMENTS + 1), "en")
