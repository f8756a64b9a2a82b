"""A reply does not depend on the company in which it is computed, to the last bit, whatever is asked for."""

import asyncio
import random
from typing import Any, TypeAlias

from seq2serve import AsyncClient
from tests.server_process import ServerProcess

Job: TypeAlias = tuple[str, dict[str, Any]] | tuple[str, str]  # a source with options, or with a target to score
WANTED: dict[str, Any] = {"tokens": True, "token_scores": True, "timing": False}
SHORT = "It is late."
MIDDLE = "The dog that barked all night belongs to the woman who lives above us."
LONG = (
    "My uncle, who lived in Spain for ten years, now sells old books in a small shop by the station, where nobody "
    "ever buys anything but a map of the town."
)
LETTER = "Dear all, I hope you are well.\n\nThe weather is good here! We swim every day. Are you at home?"
EVERYWHERE: tuple[dict[str, Any], ...] = (
    {"alignment": "soft_sparse", "alignment_unit": "piece"},
    {"beam_size": 2, "alignment": "soft_sparse"},
    {"beam_size": 5, "num_hypotheses": 5, "length_penalty": 0.6, "coverage_penalty": 0.2},
    {"beam_size": 12, "num_hypotheses": 3, "patience": 2.0},
    {"temperature": 1.0, "seed": 1, "num_hypotheses": 3},
    {"temperature": 0.7, "top_k": 20, "top_p": 0.9, "seed": 2},
    {"return_alternatives": True, "num_hypotheses": 4},
    {"beam_size": 3, "no_repeat_ngram_size": 2, "repetition_penalty": 1.2, "disable_unknown": True},
    {"min_length": 8, "repetition_guard": True, "suppress_sequences": [["▁die"], ["▁ist", "▁es"]]},
    {"end_tokens": [","], "beam_size": 2},
    {"target_prefix": "Das ist"},
    {"target_prefix": "Ich", "prefix_bias": 0.4, "beam_size": 5},
)
JOBS: list[Job] = [
    *((source, options) for options in EVERYWHERE for source in (SHORT, MIDDLE)),
    *((LONG, options) for options in EVERYWHERE[:5]),
    (LETTER, {"split_sentences": True}),
    (LETTER, {"split_sentences": True, "temperature": 1.0, "seed": 3}),
    ("Please read <i>this letter</i> about 東京.", {"transfer_tags": True, "replace_unknowns": True, "beam_size": 4}),
    (SHORT, "Es ist spät."),
    (MIDDLE, "Der Hund, der die ganze Nacht bellte, gehört der Frau über uns."),
    (LONG, "Nein."),
    (SHORT, "Die Kinder spielten im Garten, als der Regen begann, und liefen dann alle schnell nach Hause."),
]


async def ask(client: AsyncClient, job: Job) -> bytes:
    """Return the reply to a job, all bits but the request's id."""
    source, rest = job
    if isinstance(rest, str):
        scored = (await client.score(source, rest, **WANTED)).message
        scored.ClearField("request_id")
        return scored.SerializeToString(deterministic=True)
    translated = (await client.translate(source, scores=True, **WANTED, **rest)).message
    translated.ClearField("request_id")
    return translated.SerializeToString(deterministic=True)


def test_replies_do_not_depend_on_the_company(server: ServerProcess) -> None:
    """Requests of all kinds, alone and with 64 in flight in two random orders, get the same replies to the bit."""

    async def crowd(client: AsyncClient, seed: int) -> list[tuple[int, bytes]]:
        order = list(range(len(JOBS))) * 2
        random.Random(seed).shuffle(order)
        room = asyncio.Semaphore(64)

        async def one(number: int) -> tuple[int, bytes]:
            async with room:
                return number, await ask(client, JOBS[number])

        return await asyncio.gather(*map(one, order))

    async def run() -> tuple[list[bytes], list[tuple[int, bytes]]]:
        async with AsyncClient(server.address, timeout=120) as client:
            alone = [await ask(client, job) for job in JOBS]
            return alone, [*await crowd(client, 1), *await crowd(client, 2)]

    alone, together = asyncio.run(run())
    assert len(together) == 4 * len(JOBS)
    assert {number for number, reply in together if reply != alone[number]} == set()
