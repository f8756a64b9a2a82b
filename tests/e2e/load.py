"""Calls without a pause, while something else happens."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import grpc

from seq2serve.v1 import translation_pb2, translation_pb2_grpc

TEXTS = [f"The bus to the market leaves at {hour} and comes back in the evening." for hour in range(1, 11)]
CALLERS = 6
TIMEOUT = 60.0  # of a call; only bounds a failure


class Load:
    """Call from several threads for as long as the context lasts, and keep what failed."""

    def __init__(self, call: Callable[[str], object], callers: int = CALLERS) -> None:
        self._call = call
        self._stopping = threading.Event()
        self._ended = threading.Semaphore(0)
        self._counting = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(callers)]
        self.answered = 0
        self.failures: list[str] = []

    def _run(self, number: int) -> None:
        while not self._stopping.is_set():
            try:
                self._call(TEXTS[number % len(TEXTS)])
                with self._counting:
                    self.answered += 1
            except Exception as failure:
                self.failures.append(f"{type(failure).__name__}: {failure}")
                self._stopping.wait(0.05)
            self._ended.release()
            number += 1

    def more(self, calls: int) -> None:
        """Wait until so many more calls have ended."""
        for _ in range(calls):
            assert self._ended.acquire(timeout=TIMEOUT), "no call ends any more"

    def __enter__(self) -> Self:
        """Begin, and return once some calls have ended."""
        for thread in self._threads:
            thread.start()
        self.more(2 * len(self._threads))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop after the calls in flight."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()


def caller_without_retries(channel: grpc.Channel) -> Callable[[str], object]:
    """Return what makes a call that fails if its first attempt does."""
    translate = translation_pb2_grpc.TranslationServiceStub(channel).Translate
    return lambda text: translate(translation_pb2.TranslateRequest(text=text), timeout=TIMEOUT)


def channel_without_retries(address: str) -> grpc.Channel:
    """Open a channel, as one connection, that makes no second attempt."""
    return grpc.insecure_channel(address, options=(("grpc.enable_retries", 0),))
