"""What a reply warns of."""

from types import SimpleNamespace
from typing import Any, cast

from seq2serve.v1 import translation_pb2
from service.notices import notices
from service.rendering import Rendered
from service.search.hypothesis import FinishReason, Hypothesis
from service.translation import Translation


def part(limit: int, reason: FinishReason) -> tuple[Any, list[Rendered]]:
    """Make a part whose target was bounded, and how it ended."""
    request = SimpleNamespace(options=SimpleNamespace(max_length=limit))
    hypothesis = cast(Hypothesis, SimpleNamespace(finish_reason=reason))
    return SimpleNamespace(request=request), [Rendered("text", hypothesis)]


def test_the_limit_is_that_of_the_part_that_reached_it() -> None:
    """Of the sentences of a text each has a limit of its own."""
    parts, rendered = zip(part(16, FinishReason.LENGTH), part(210, FinishReason.EOS), strict=True)
    translation = SimpleNamespace(parts=parts, model=None, source_field="text", requests=[p.request for p in parts])
    (notice,) = notices(cast(Translation, translation), rendered, translation_pb2.Usage())
    assert notice.reason == "length_limit"
    assert "its limit of 16 pieces" in notice.message
