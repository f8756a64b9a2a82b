"""The engine on a device, without gRPC: what it translates, how fast, and whether its memory grows."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy

from benchmarks.gpu.opened import Variant, make_engine, open_cpu, open_runner
from service.bundle import Bundle
from service.options import SearchOptions
from service.provider import Device
from service.request import Request
from service.runner import Runner
from service.vocabulary import Vocabulary

MIXED: tuple[dict[str, object], ...] = ({"scored": False}, {}, {"beam_size": 5}, {"alignment": True, "beam_size": 2})


@dataclass(frozen=True)
class Agreement:
    """Count sentences whose pieces are those of the CPU in fp32."""

    same: int
    sentences: int
    texts: list[str]  # what the device said
    expected: list[str]

    @property
    def share(self) -> float:
        """Return the share in percent."""
        return 100 * self.same / self.sentences


def measure_agreement(
    bundle: Bundle, device: Device, precision: str, texts: Sequence[str], threads: int, beam: int
) -> Agreement:
    """Translate texts on the device, lengths mixed in every batch, and on the CPU in fp32."""
    options: dict[str, object] = {"beam_size": beam} if beam > 1 else {"scored": False}
    vocabulary = _vocabulary(bundle)
    found = []
    for runner in (open_runner(bundle, device, Variant(precision), 256), open_cpu(bundle, "fp32", threads)):
        requests = [_request(bundle, vocabulary, text, options) for text in texts]
        _run(bundle, runner, requests, 256)
        found.append([vocabulary.decode(request.hypotheses[0].ids) for request in requests])
        ids = [request.hypotheses[0].ids for request in requests]
        if len(found) == 1:
            ours = ids
    same = sum(one == other for one, other in zip(ours, ids, strict=True))
    return Agreement(same, len(texts), *found)


def measure_throughput(bundle: Bundle, device: Device, precision: str, texts: Sequence[str], slots: int) -> float:
    """Return pieces of output per second of greedy search, with all slots taken, median of three."""
    runner, vocabulary, rates = open_runner(bundle, device, Variant(precision), slots), _vocabulary(bundle), []
    for _ in range(4):  # the first warms up
        requests = [_request(bundle, vocabulary, text, {"scored": False}) for text in texts]
        started = time.perf_counter()
        _run(bundle, runner, requests, slots)
        rates.append(sum(request.steps for request in requests) / (time.perf_counter() - started))
    return sorted(rates[1:])[1]


def measure_growth(bundle: Bundle, device: Device, precision: str, texts: Sequence[str], requests: int) -> list[int]:
    """Return the device's memory that is left after each tenth of mixed requests, in bytes."""
    runner, vocabulary, left = open_runner(bundle, device, Variant(precision), 256), _vocabulary(bundle), []
    random = Random(5)
    for part in range(10):
        chosen = [random.choice(texts) for _ in range(requests // 10)]
        mixed = [_request(bundle, vocabulary, text, MIXED[(n + part) % len(MIXED)]) for n, text in enumerate(chosen)]
        _run(bundle, runner, mixed, 256)
        left.append(runner.memory.left())
    return left


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
