"""Restoring neither fails nor loses an item silently, whatever the model says and attends to."""

from collections import Counter

import numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.text.options import TextOptions
from service.text.protect import cut, protect, truncate
from service.text.sentences import split
from service.text.transfer import restore
from service.vocabulary import Vocabulary
from tests.unit.service.text.test_original import switches, texts

numbers = [0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, numpy.inf, numpy.nan]
weights = st.one_of(st.none(), st.lists(st.sampled_from(numbers), min_size=1, max_size=7))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=texts,
    options=switches,
    ids=st.lists(st.integers(0, 7999), max_size=12),
    said=st.lists(st.one_of(texts, st.sampled_from(["84", "93", " 84 93", "8493", "61."])), max_size=3).map("".join),
    unknown=st.booleans(),
    odd=weights,
    read=st.integers(0, 40),
    end=st.integers(0, 90),
    seed=st.integers(0, 99),
)
def test_any_translation_is_restored(
    vocabulary: Vocabulary,
    text: str,
    options: TextOptions,
    ids: list[int],
    said: str,
    unknown: bool,
    odd: list[float] | None,
    read: int,
    end: int,
    seed: int,
) -> None:
    """Each item is in the result or has a notice, each tag is there, and all offsets are true."""
    protected = protect(text, options)
    for part, _ in cut(protected, split(protected.plain, "en")):
        source = vocabulary.encode_spans(part.plain)
        part = truncate(part, end)
        del source.ids[read:], source.spans[read:]
        target = vocabulary.decode_spans([*vocabulary.encode(said), *ids, *[vocabulary.unknown_id] * unknown])
        shape = len(target.ids) + 1, len(source.ids) + 1
        drawn = numpy.random.default_rng(seed).random(shape) if odd is None else numpy.resize(odd, shape)
        with numpy.errstate(all="ignore"):
            found = restore(part, source, target, drawn.astype(numpy.float32), vocabulary.unknown_id)
        noticed = {notice.field for notice in found.notices}
        for item, count in Counter(part.items).items():
            assert found.text.count(item.text) >= count or item.field in noticed
        for tag, count in Counter(tag.text for tag in part.tags).items():
            assert found.text.count(tag) >= count
        assert all(found.text[word.start : word.end] == word.text for word in found.words)
        assert found.weights.shape == (len(found.words), len(found.source_words))
