"""Callers of every kind at once, so that every metric moves: for pictures and for the test of the dashboards."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from seq2serve import AsyncClient, Seq2ServeError

NAMES = ("Anna", "Ben", "Clara", "David", "Emma", "Frank", "Greta", "Henry")
SENTENCES = (
    "Good morning, {}.",
    "Where does {} live?",
    "{} opens the bakery at six in the morning.",
    "{} has not answered my letter, although I wrote to her twice.",
    "We walked along the river with {} until it was dark.",
    "Please write to {} before Friday.",
    "My brother plays the violin, {} plays the piano, and I listen to both of them.",
    "If it rains tomorrow, the children will stay at home and read a book with {}.",
)
LONG = " ".join(SENTENCES).format(*NAMES)


async def mixed_load(address: str, seconds: float, in_flight: int) -> int:
    """Send a mixture of calls for some seconds, with so many in flight; returns how many ended."""
    end, done = time.monotonic() + seconds, 0

    async def caller(number: int, client: AsyncClient) -> None:
        nonlocal done
        choices = random.Random(number)
        while time.monotonic() < end:
            text = " ".join(
                choices.choice(SENTENCES).format(choices.choice(NAMES)) for _ in range(choices.choice((1, 1, 2)))
            )
            with suppress(Seq2ServeError):
                await choices.choices(KINDS, WEIGHTS)[0](client, text)
            done += 1

    async with AsyncClient(address) as client:
        await asyncio.gather(*(caller(number, client) for number in range(in_flight)))
    return done


async def _alone(client: AsyncClient, text: str) -> None:
    await client.translate(text)


async def _again(client: AsyncClient, text: str) -> None:
    await client.translate("The bakery opens at six.", beam_size=2)


async def _aligned(client: AsyncClient, text: str) -> None:
    await client.translate(text, alignment="hard", scores=True, beam_size=4)


async def _streamed(client: AsyncClient, text: str) -> None:
    async with client.translate_stream(text) as stream:
        async for _ in stream:
            pass


async def _batch(client: AsyncClient, text: str) -> None:
    await client.translate_batch([text, *map("{} sleeps.".format, NAMES)])


async def _long(client: AsyncClient, text: str) -> None:
    await client.translate(f"{text} {LONG}", split_sentences=True)


async def _scored(client: AsyncClient, text: str) -> None:
    await client.score(text, "Guten Morgen.")


async def _unreadable(client: AsyncClient, text: str) -> None:
    await client.translate(f"{text} \u4e2d\u6587")


async def _refused(client: AsyncClient, text: str) -> None:
    await client.translate(text, model="nobody")


async def _given_up(client: AsyncClient, text: str) -> None:
    async with client.translate_stream(f"{text} {LONG}") as stream:
        async for _ in stream:  # the first words are there, so it has its slot: what is left is cancelled
            break


KINDS: tuple[Callable[[AsyncClient, str], Awaitable[None]], ...] = (
    *(_alone, _again, _aligned, _streamed, _batch, _long, _scored, _unreadable, _refused, _given_up),
)
WEIGHTS = (60, 8, 6, 8, 3, 3, 4, 2, 2, 4)
