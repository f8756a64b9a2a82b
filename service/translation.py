"""One text on its way through the engine: its parts, what they ask of the search, and when they are done."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from seq2serve.v1 import options_pb2, translation_pb2
from service.cache import Cache
from service.delivery import Delivery
from service.limits import EdgeLimits
from service.model import Model
from service.options import Ids, SearchOptions
from service.rendering import Rendered, render
from service.request import Request, Status
from service.room import Room
from service.search_options import check_lengths, check_output, max_length, read_options
from service.text.stream import TextStream
from service.validation import Part, read_parts, read_text_options

Message: TypeAlias = translation_pb2.TranslateRequest
ALIGNED = (options_pb2.ALIGNMENT_MODE_HARD, options_pb2.ALIGNMENT_MODE_SOFT_SPARSE)
SEEDS = 2**64
LIGHT = 4096  # bytes


@dataclass(frozen=True)
class Progress:
    """Hold what became certain of a translation."""

    text: str
    ids: tuple[int, ...]
    token_scores: tuple[float, ...]


@lru_cache(1024)
def _plain(longest: int, aligned: bool, scored: bool) -> SearchOptions:
    return SearchOptions(longest, alignment=aligned, scored=scored)


def is_heavy(message: Message) -> bool:
    """Tell whether to read a message, or to make its reply, may take milliseconds."""
    return (
        message.HasField("input")
        or bool(message.glossary)
        or (message.HasField("options") and message.options.replace_unknowns)
        or (message.HasField("output") and message.output.alignment in ALIGNED)
        or message.ByteSize() > LIGHT
    )


class Translation:
    """Hold a request that has passed validation."""

    def __init__(
        self,
        message: Message,
        model: Model,
        limits: EdgeLimits,
        streams: bool = False,
        forced: Ids | None = None,
    ) -> None:
        """Validate a message and cut its source into parts; `forced` is the target to score, if it is given.

        Raises:
            ServiceError: the message cannot be honoured; names the field.
        """
        self.message, self.model = message, model
        if message.HasField("output"):
            check_output(message.output, model)
        self._aligned = message.output.alignment in ALIGNED
        self._scored = message.output.scores or message.output.token_scores
        self._fields = read_options(message, model, limits)
        self._forced, self._limits = forced, limits
        text_options = read_text_options(message, model, limits)
        prefix = "" if forced is None else "source_"
        self.source_field = f"{prefix}{message.WhichOneof('source')}"
        self.parts = read_parts(message, model, limits, text_options, self._aligned, prefix)
        self._replaces = text_options.replace_unknowns
        for number, part in enumerate(self.parts):
            if part.source.ids:
                part.request = model.request(part.source.ids, self._options_of(part, number), streams)
        self.requests = [part.request for part in self.parts if part.request]

    def _options_of(self, part: Part, number: int) -> SearchOptions:
        aligned = self._aligned or (part.protected is not None and part.protected.needs_alignment)
        if self._forced is not None:
            prefix = (*self._forced, self.model.manifest.special_ids.eos)
            return SearchOptions(max_length=len(prefix), prefix=prefix, alignment=aligned)
        longest = max_length(self.message.options, len(part.source.ids), self.model)
        if not self._fields:
            return _plain(longest, aligned, self._scored)
        options = SearchOptions(longest, alignment=aligned, scored=self._scored, **self._fields)
        check_lengths(self.message, options)
        if options.min_length > longest:  # of a sentence among others
            options = replace(options, min_length=longest)
        if number and options.sampling:  # other sentences get other draws
            return replace(options, sampling=replace(options.sampling, seed=(options.sampling.seed + number) % SEEDS))
        return options

    @property
    def source_tokens(self) -> int:
        """Count the pieces of the source."""
        return sum(len(part.source.ids) for part in self.parts)

    @property
    def seed(self) -> int | None:
        """Return the seed that was asked for, or drawn; none without sampling."""
        sampling = self._fields.get("sampling")
        return sampling.seed if sampling else None

    async def complete(self, delivery: Delivery | Cache, room: Room | None = None) -> None:
        """Translate all parts, as many at a time as there is room for; `room` is that of a call of many texts.

        Raises:
            ServiceError: a part was refused, or failed; the others are given up.
        """
        if len(self.requests) == 1:
            request = self.requests[0]
            if room is None:
                await delivery.complete(self.model, request)
                return
            async with room.take(request.options.width):
                await delivery.complete(self.model, request)
            return
        async with self._running(delivery, asyncio.Event(), room) as tasks:
            await asyncio.gather(*tasks.values())

    @asynccontextmanager
    async def _running(
        self, delivery: Delivery | Cache, news: asyncio.Event, room: Room | None = None
    ) -> AsyncIterator[dict[int, asyncio.Task[None]]]:
        """Run the parts as tasks, by their number, of which none is left on the way out.

        `news` is set whenever more of one is certain, or one has ended.
        """
        places = room or Room(self._limits.places)

        async def run(request: Request) -> None:
            try:
                async with places.take(request.options.width):
                    await delivery.complete(self.model, request, news)
            finally:
                news.set()

        tasks = {i: asyncio.create_task(run(part.request)) for i, part in enumerate(self.parts) if part.request}
        try:
            yield tasks
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def progress(self, delivery: Delivery | Cache) -> AsyncGenerator[Progress]:
        """Translate all parts in the background, and tell of each, in document order, what becomes certain.

        The first progress is empty: as many parts as may be are in line then.

        Raises:
            ServiceError: a part was refused, or failed.
        """
        news = asyncio.Event()
        async with self._running(delivery, news) as tasks:
            await asyncio.sleep(0)  # they submit
            while any(request.status is Status.SENT for request in self.requests):
                await news.wait()
                news.clear()
            for task in tasks.values():
                if task.done():
                    task.result()
            yield Progress("", (), ())
            for i, part in enumerate(self.parts):
                stream, shown = TextStream(self.model.vocabulary.decode, self._held()), 0
                while part.request and not tasks[i].done():
                    ids, token_scores = part.request.certain
                    if len(ids) >= shown + self._flush and not self._is_restored(part):
                        yield Progress(stream.push(ids), ids[shown:], token_scores[shown:])
                        shown = len(ids)
                    await news.wait()
                    news.clear()
                if part.request:
                    tasks[i].result()
                best = self.render(part)[0]
                hypothesis = best.hypothesis
                rest = hypothesis.token_scores[shown : len(hypothesis.ids)]
                yield Progress(stream.finish(best.text) + part.separator, hypothesis.ids[shown:], tuple(rest.tolist()))

    @property
    def _flush(self) -> int:
        return max(1, self.message.output.stream_flush_tokens)

    def _held(self) -> frozenset[int]:
        return frozenset([self.model.vocabulary.unknown_id] if self._replaces else [])

    def _is_restored(self, part: Part) -> bool:
        """Tell whether a part's text is known at its end only, as something is put into it."""
        return part.protected is not None and bool(part.protected.items or part.protected.tags)

    @property
    def text(self) -> str:
        """Return the best hypotheses of all parts, joined."""
        return "".join(self.render(part)[0].text + part.separator for part in self.parts)

    @property
    def is_forced(self) -> bool:
        """Tell whether the translation was given, to be scored."""
        return self._forced is not None

    @property
    def is_repeatable(self) -> bool:
        """Tell whether another translation of the message is to say the same: nothing was drawn, or given."""
        return self.seed is None and not self.is_forced

    def render(self, part: Part) -> list[Rendered]:
        """Make text of a part's hypotheses, best first."""
        return render(part, self.model.vocabulary)
