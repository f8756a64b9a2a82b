"""The engine on a device, without gRPC: what it translates, how fast, and whether its memory grows."""

import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

import numpy

from benchmarks.gpu.opened import Variant, make_engine, open_runner
from service.bundle import Bundle
from service.options import SearchOptions
from service.provider import Device
from service.request import Request
from service.runner import Runner
from service.vocabulary import Vocabulary

SLOTS = 256
MIXED: tuple[dict[str, object], ...] = ({"scored": False}, {}, {"beam_size": 5}, {"alignment": True, "beam_size": 2})


class Translated(NamedTuple):
    """Hold the best translation of a text."""

    ids: Sequence[int]
    text: str


def translate(bundle: Bundle, runner: Runner, texts: Sequence[str], beam: int) -> list[Translated]:
    """Translate texts, lengths mixed in every batch."""
    options: dict[str, object] = {"beam_size": beam} if beam > 1 else {"scored": False}
    vocabulary = _vocabulary(bundle)
    requests = [_request(bundle, vocabulary, text, options) for text in texts]
    _run(bundle, runner, requests, SLOTS)
    ids = (request.hypotheses[0].ids for request in requests)
    return [Translated(one, vocabulary.decode(one)) for one in ids]


def measure_throughput(bundle: Bundle, device: Device, precision: str, texts: Sequence[str], slots: int) -> float:
    """Return pieces of output per second of greedy search, with all slots taken, median of three."""
    runner, vocabulary, rates = open_runner(bundle, device, Variant(precision), slots), _vocabulary(bundle), []
    for _ in range(4):  # the first warms up
        requests = [_request(bundle, vocabulary, text, {"scored": False}) for text in texts]
        started = time.perf_counter()
        _run(bundle, runner, requests, slots)
        seconds = time.perf_counter() - started
        rates.append(sum(len(request.hypotheses[0].ids) for request in requests) / seconds)
    return sorted(rates[1:])[1]


def measure_growth(
    bundle: Bundle, device: Device, precision: str, texts: Sequence[str], requests: int
) -> Iterator[int]:
    """Give the device's memory that is left after each tenth of mixed requests, in bytes."""
    runner, vocabulary = open_runner(bundle, device, Variant(precision), SLOTS), _vocabulary(bundle)
    random = Random(5)
    for part in range(10):
        chosen = [random.choice(texts) for _ in range(requests // 10)]
        mixed = [_request(bundle, vocabulary, text, MIXED[(n + part) % len(MIXED)]) for n, text in enumerate(chosen)]
        _run(bundle, runner, mixed, SLOTS)
        yield runner.memory.left()


def _run(bundle: Bundle, runner: Runner, requests: Sequence[Request], slots: int) -> None:
    engine = make_engine(bundle, runner, slots, [])
    for request in Random(7).sample(requests, len(requests)):
        engine.submit(request)
    while engine.scheduler.busy:
        engine.step()
    failed = [request.error for request in requests if request.error]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(requests)} requests failed: {failed[0]}")


def _vocabulary(bundle: Bundle) -> Vocabulary:
    return Vocabulary(bundle.file(bundle.manifest.vocabulary.file), bundle.manifest.vocabulary.size)


def _request(bundle: Bundle, vocabulary: Vocabulary, text: str, options: dict[str, object]) -> Request:
    limits = bundle.manifest.limits
    ids = vocabulary.encode(text)[: limits.max_source_tokens]
    end = [bundle.manifest.special_ids.eos] if bundle.manifest.source_end else []
    longest = min(limits.max_length, 2 * len(ids) + 10)
    return Request(numpy.array([*ids, *end], numpy.int64), SearchOptions(longest, **options))  # type: ignore[arg-type]
