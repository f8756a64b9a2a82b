"""Behind a client with the shipped retry policy, a server that goes away costs nobody a call while another lives."""

import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from seq2serve import Client
from tests.server_process import ServerProcess

TEXTS = [f"The train to the coast leaves at {hour} and the next one an hour later." for hour in range(1, 11)]
CALLERS, CALLS = 16, 600


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_goes_away_under_load_costs_no_call(number: signal.Signals) -> None:
    """All calls are answered, and alike, whether the server is killed or asked to stop."""
    with ServerProcess() as leaving, ServerProcess() as staying:
        answered, gone = threading.Semaphore(0), threading.Event()
        addresses = ",".join(server.address for server in (leaving, staying))

        def translate(call: int) -> tuple[str, str]:
            if call > CALLS // 3:
                gone.wait(60)
            text = TEXTS[call % len(TEXTS)]
            reply = str(client.translate(text))
            answered.release()
            return text, reply

        with Client(f"ipv4:{addresses}", timeout=60) as client, ThreadPoolExecutor(CALLERS) as pool:
            calls = [pool.submit(translate, call) for call in range(CALLS)]
            for _ in range(CALLS // 6):
                assert answered.acquire(timeout=60)
            leaving.process.send_signal(number)  # in the midst of calls
            gone.set()
            replies = Counter(call.result() for call in calls)
        assert len(replies) == len(TEXTS)
        assert leaving.process.wait(60) == (-signal.SIGKILL if number is signal.SIGKILL else 0)
        assert staying.process.poll() is None
