"""What a reply warns of."""

from types import SimpleNamespace
from typing import Any, cast

from service.notices import notices
from service.rendering import Rendered
from service.search.hypothesis import FinishReason, Hypothesis
from service.translation import Translation


def part(limit: int, reason: FinishReason) -> tuple[Any, list[Rendered]]:
    """Make a part whose target was bounded, and how it ended."""
    source = SimpleNamespace(ids=[5, 6])
    request = SimpleNamespace(options=SimpleNamespace(max_length=limit))
    hypothesis = cast(Hypothesis, SimpleNamespace(finish_reason=reason))
    return SimpleNamespace(source=source, request=request, truncated=0), [Rendered("text", hypothesis)]


def test_the_limit_is_that_of_the_part_that_reached_it() -> None:
    """Of the sentences of a text each has a limit of its own."""
    parts, rendered = zip(part(16, FinishReason.LENGTH), part(210, FinishReason.EOS), strict=True)
    model = SimpleNamespace(vocabulary=SimpleNamespace(unknown_id=1))
    translation = SimpleNamespace(parts=parts, model=model, source_field="text", requests=[p.request for p in parts])
    (notice,) = notices(cast(Translation, translation), rendered)
    assert notice.reason == "length_limit"
    assert "its limit of 16 pieces" in notice.message
