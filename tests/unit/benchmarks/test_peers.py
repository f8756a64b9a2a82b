"""What our server is measured against says what our server says, and is accounted for in full."""

import asyncio
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import grpc
import pytest

from benchmarks.peers import infer, offline
from benchmarks.peers.dynamic import MOST, Batcher, dynamic
from benchmarks.peers.echo import bare
from benchmarks.peers.loop import DecodeLoop, Translation
from benchmarks.peers.naive import naive
from benchmarks.peers.peer import PROC, Peer, usage
from benchmarks.peers.triton import Triton, TritonEndpoint
from benchmarks.texts import draw_texts
from service.bundle import read_bundle
from service.core.local import LocalCore
from service.intake import Intake
from service.limits import EngineLimits
from service.provider import Device
from service.request import Request
from service.setup import Setup

BUNDLE = Path(__file__).parents[3] / "model_repository" / "en-de" / "1"
TEXTS = [
    "Where is the key to the garden?",
    "Yes.",
    "My grandmother bakes bread on Sundays, and the whole house smells of it until the evening.",
    "Two foxes sleep under the old bridge.",
    "zzz zzz zzz qwx qwx 17 ~ ~ ~",
]
linux = pytest.mark.skipif(not PROC.is_dir(), reason="processes are accounted for by Linux's /proc")
PEERS: list[Peer] = [naive(BUNDLE, 1), dynamic(BUNDLE, 1), Triton(BUNDLE, 1)]


@pytest.fixture(scope="module")
def decoder() -> DecodeLoop:
    return DecodeLoop(BUNDLE, threads=1)


@cache
def translate(precision: str) -> list[Translation]:
    """Translate with our own engine."""
    finished: queue.SimpleQueue[list[Request]] = queue.SimpleQueue()
    bundle = read_bundle(BUNDLE)
    setup = Setup(bundle, Device("cpu"), 1, EngineLimits(slots=2, queue=8), precision)
    core, intake = LocalCore(setup, finished.put), Intake(bundle)
    requests = [
        intake.request(ids, intake.plain_options(len(ids), scored=False))
        for ids in (intake.vocabulary.encode(text) for text in TEXTS)
    ]
    for request in requests:
        core.submit(request)
    left = len(requests)
    while left:
        left -= len(finished.get(timeout=60))
    core.close()
    found = [request.hypotheses[0].ids for request in requests]
    return [Translation(intake.vocabulary.decode(ids), len(ids)) for ids in found]


@pytest.fixture(scope="module")
def served() -> list[Translation]:
    """Take what peers should say, whose graphs are those of fp32."""
    return translate("fp32")


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_batches_say_what_is_served(precision: str) -> None:
    """Alone or together, with finished rows in the batch or not, texts are those of our engine."""
    decoder, served = DecodeLoop(BUNDLE, threads=1, precision=precision), translate(precision)
    for drop in (False, True):
        assert decoder.translate(TEXTS, drop) == served
        assert [decoder.translate([text], drop)[0] for text in TEXTS] == served


@pytest.mark.parametrize("drop", [False, True])
def test_a_batch_lasts_as_long_as_its_longest(
    decoder: DecodeLoop, served: list[Translation], monkeypatch: pytest.MonkeyPatch, drop: bool
) -> None:
    """Finished rows are computed until the end of the batch, unless they are dropped."""
    rows: list[int] = []
    session = decoder._step

    class Counted:
        inputs = session.inputs

        def run(self, names: Sequence[str], feed: dict[str, Sequence[object]]) -> object:
            rows.append(len(feed["previous_ids"]))
            return session.run(names, feed)

    monkeypatch.setattr(decoder, "_step", Counted())
    decoder.translate(TEXTS, drop)
    limits = [2 * len(decoder.encode(text)) + 10 for text in TEXTS]
    steps = [min(one.target_tokens + 1, limit) for one, limit in zip(served, limits, strict=True)]
    assert len(rows) == max(steps)
    assert sum(rows) == (sum(steps) if drop else len(TEXTS) * max(steps))


def test_offline_translates_what_is_sent_to_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an ideal of the same sentences, of the same column, in the same order."""
    file, seen = tmp_path / "numbered.tsv", []

    def measure(_: object, texts: Sequence[str], way: str) -> offline.Report:
        seen.extend(texts)
        return offline.Report(way, len(texts), 1, 1.0, 1.0, 1.0, 1.0, [])

    file.write_text("".join(f"{number}\tsource {number}\ttarget\n" for number in range(100)), encoding="utf-8")
    monkeypatch.setattr(offline, "DecodeLoop", lambda *_: None)
    monkeypatch.setattr(offline, "measure", measure)
    offline.main([str(file), "--bundle", str(BUNDLE), "--threads", "1", "--sentences", "10"])

    assert seen == draw_texts(file, 10)


@pytest.mark.parametrize("way", offline.WAYS)
def test_offline_counts_every_sentence(decoder: DecodeLoop, served: list[Translation], way: str) -> None:
    """Each way translates all of them once, and the one that goes one by one says how long each took."""
    report = offline.measure(decoder, TEXTS, way)
    assert (report.sentences, report.tokens) == (len(TEXTS), sum(one.target_tokens for one in served))
    assert len(report.latencies) == (len(TEXTS) if way == "one_at_a_time" else 0)


class Held:
    """Decode when told to; notes the batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go = threading.Event()

    def __call__(self, texts: Sequence[str]) -> list[Translation]:
        self.batches.append(list(texts))
        assert self.go.wait(60)
        if "bad" in texts:
            raise ValueError("a text is bad")
        return [Translation(text.upper(), 1) for text in texts]


def test_batches_collect_while_another_is_decoded() -> None:
    """What comes during a batch makes up the next ones, of at most 64 texts each, and everybody gets their own."""
    held = Held()

    async def run() -> list[Translation]:
        translate = Batcher(held).translate
        first = asyncio.create_task(translate("first"))
        while not held.batches:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(translate(f"text {i}")) for i in range(MOST + 6)]
        await asyncio.sleep(0.02)  # longer than a batch waits for more: all of them could have started
        assert held.batches == [["first"]]
        held.go.set()
        return await asyncio.gather(first, *others)

    found = asyncio.run(run())
    assert [one.text for one in found] == ["FIRST", *(f"TEXT {i}" for i in range(MOST + 6))]
    assert [len(batch) for batch in held.batches] == [1, MOST, 6]


def test_a_batch_that_fails_fails_alone() -> None:
    """All callers of a failed batch learn of it, the next batch is decoded, and who goes away takes nobody along."""
    held = Held()
    held.go.set()

    async def run() -> None:
        translate = Batcher(held).translate
        failed = await asyncio.gather(translate("bad"), translate("good"), return_exceptions=True)
        assert [str(error) for error in failed] == ["a text is bad"] * 2
        leaving, staying = asyncio.create_task(translate("leaving")), asyncio.create_task(translate("staying"))
        await asyncio.sleep(0)
        leaving.cancel()
        assert (await staying).text == "STAYING"

    asyncio.run(run())
    assert held.batches == [["bad", "good"], ["leaving", "staying"]]


@linux
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_peers_serve(peer: Peer, served: list[Translation]) -> None:
    """A running peer answers calls at the same time with our texts, and its process is the one that works."""
    if missing := peer.missing():
        pytest.skip(missing)
    with peer.serve() as endpoint, grpc.insecure_channel(endpoint.address) as channel:
        call = channel.unary_unary(endpoint.method)
        futures = [call.future(peer.payload(text), timeout=60) for text in TEXTS]
        replies = [future.result() for future in futures]
        found = usage(endpoint.pid)
        if isinstance(endpoint, TritonEndpoint):
            assert 1 <= endpoint.mean_batch() <= len(TEXTS)
    assert [Translation(peer.text(reply), peer.target_tokens(reply)) for reply in replies] == served
    assert found.cpu_seconds > 0
    assert found.peak_bytes > BUNDLE.joinpath("weights.bin").stat().st_size
    with pytest.raises(ProcessLookupError):
        usage(endpoint.pid)


def test_grpc_alone_gives_texts_back() -> None:
    """The peer that translates nothing answers over the same method, and needs no bundle."""
    peer = bare()
    with peer.serve() as endpoint, grpc.insecure_channel(endpoint.address) as channel:
        call = channel.unary_unary(endpoint.method)
        assert [peer.text(call(peer.payload(text), timeout=60)) for text in TEXTS] == TEXTS


def test_absent_triton_is_named(tmp_path: Path) -> None:
    """Where it is not installed, the peer says how to install it."""
    absent = Triton(BUNDLE, 1, environment=tmp_path / "triton-venv")
    assert "benchmarks.peers.triton --install" in absent.missing()
    with pytest.raises(RuntimeError, match="there is no Triton in triton-venv"), absent.serve():
        pass


def test_inference_protocol() -> None:
    """Requests and replies have the fields, numbers and raw contents of the inference protocol."""
    tensor = b"\n\x04text\x12\x05BYTES\x1a\x02\x01\x01"
    assert infer.request("m", "ü") == b"\n\x01m*\x11" + tensor + b":\x06\x02\x00\x00\x00\xc3\xbc"
    names = b"*\x06\n\x04text*\x03\n\x01n"
    reply = b"\n\x01m" + names + b"2\x06\x02\x00\x00\x00\xc3\xbc2\x04\xff\x01\x00\x00"
    outputs = infer.outputs(reply)
    assert (infer.read_text(outputs["text"]), infer.read_number(outputs["n"])) == ("ü", 511)


def test_a_server_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    """A peer without its bundle says that it did not start, and waits for nothing."""
    with pytest.raises(RuntimeError, match=r"benchmarks\.peers\.naive did not start"), naive(tmp_path, 1).serve():
        pass


BUSY = """
import subprocess, sys, time
if len(sys.argv) > 1:
    child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
taken = b"x" * (64 << 20)
del taken
while time.process_time() < 0.2:
    pass
print("done", flush=True)
sys.stdin.read()
if len(sys.argv) > 1:
    child.communicate()
"""


@pytest.fixture
def busy() -> Iterator[int]:
    """Run a process and a child of it that have each taken 64 MiB, given back, and 0.2 s, and wait."""
    with subprocess.Popen([sys.executable, "-c", BUSY, BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate()


@linux
def test_usage_counts_children(busy: int) -> None:
    """CPU time and the peaks of memory of a process are those of its children too."""
    found = usage(busy)
    tick = 1 / os.sysconf("SC_CLK_TCK")
    assert found.cpu_seconds >= 0.4 - 4 * tick  # user and system time of each are rounded down
    assert found.peak_bytes >= 2 * 64 << 20
