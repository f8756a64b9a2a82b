"""`--workers N`: each worker is a server of its own, and all of them are one program."""

import os
import signal
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from benchmarks.metrics import scrape
from seq2serve import Client
from tests.eventually import eventually
from tests.workers_process import WorkersProcess

TEXT = "The lighthouse keeper writes a letter every evening."
STARTED = "grpc_server_started_total{Translate,seq2serve.v1.TranslationService,unary}"
BATCHES = STARTED.replace("Translate,", "TranslateBatch,")


def ready(http: str) -> bool:
    """Tell whether a worker is ready; one that is not there is not."""
    try:
        with urllib.request.urlopen(f"{http}/readyz", timeout=10) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def pids(workers: WorkersProcess, number: int) -> list[int]:
    """Return the processes that one worker has been so far."""
    started = f"worker {number} is process "
    events = [line["event"] for line in workers.log()]
    return [int(event.removeprefix(started).split(":")[0]) for event in events if event.startswith(started)]


def numbers(workers: WorkersProcess, event: str) -> list[int]:
    """Return the workers that have logged an event."""
    return sorted(line["worker"] for line in workers.log() if line["event"] == event)


def test_workers_serve_come_back_and_drain_together() -> None:
    """Both serve and count for themselves; one that is killed costs no call and comes back; SIGTERM loses nothing."""
    with WorkersProcess(2) as workers, ThreadPoolExecutor() as pool:
        both = f"ipv4:{','.join(workers.addresses)}"
        assert f'seq2serve translate --address {both} "' in workers.said()
        with Client(both, timeout=60) as client, Client(workers.addresses[0], timeout=60) as first:
            texts = {str(client.translate(TEXT)) for _ in range(20)}
            assert len(texts) == 1
            counts = [scrape(http).get(STARTED, 0) for http in workers.https]
            assert sum(counts) == 20
            assert all(8 <= count <= 12 for count in counts)  # in turn, but for those before both are connected
            with Client(workers.addresses[1], timeout=60) as doomed:
                assert [str(outcome) for outcome in doomed.translate_batch([TEXT])] == [*texts]
            assert scrape(workers.https[1])[BATCHES] == 1

            back = threading.Event()

            def call(caller: Client) -> int:
                calls = 0
                while not back.is_set():
                    caller.translate(TEXT)
                    calls += 1
                return calls

            callers = [pool.submit(call, caller) for caller in (client, first)]
            (killed,) = pids(workers, 1)
            os.kill(killed, signal.SIGKILL)
            assert eventually(lambda: len(pids(workers, 1)) == 2 and ready(workers.https[1]), 60)
            back.set()
            assert all(caller.result() > 0 for caller in callers)
        assert len(pids(workers, 0)) == 1
        before = scrape(workers.https[1])
        with Client(workers.addresses[1], timeout=60) as second:
            assert second.translate(TEXT)
        after = scrape(workers.https[1])
        assert after[STARTED] == before.get(STARTED, 0) + 1
        assert BATCHES not in after  # counted from its start

        def translate_many(address: str) -> list[str]:
            with Client(address, timeout=60) as client:
                return [str(outcome) for outcome in client.translate_batch([TEXT] * 200)]

        batches = [pool.submit(translate_many, address) for address in workers.addresses]
        assert eventually(lambda: all(scrape(http).get(BATCHES, 0) == 1 for http in workers.https))
        os.kill(pids(workers, 1)[-1], signal.SIGTERM)  # as a terminal and a service manager do, besides the supervisor
        assert eventually(lambda: not ready(workers.https[1]))
        assert workers.stop() == 0
        assert [set(batch.result()) for batch in batches] == [texts, texts]
        assert numbers(workers, "stopped") == [0, 1]


def test_workers_end_with_their_supervisor() -> None:
    """Whatever ends the supervisor, its workers drain and leave nothing behind."""
    with WorkersProcess(2) as workers:
        with Client(workers.addresses[1], timeout=60) as client:
            assert client.translate(TEXT)
        assert workers.stop(signal.SIGKILL) == -signal.SIGKILL
        assert eventually(lambda: numbers(workers, "stopped") == [0, 1], 60)
        assert eventually(lambda: not any(map(ready, workers.https)))
