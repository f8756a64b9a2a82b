"""Where requests come in from a server's process, and news of them goes out."""

import socket
import threading

from service.core.interface import Core
from service.core.wire import (
    Accepted,
    Cancelled,
    Ended,
    Message,
    Numbered,
    Progressed,
    Refused,
    Submitted,
    Unframing,
    frame,
)
from service.errors import ServiceError
from service.request import Request

CHUNK = 1 << 16  # bytes that are read at a time


class Desk:
    """Number the requests of a server, as it does, and pass on what an engine says of them."""

    def __init__(self, server: socket.socket) -> None:
        """Take the socket that leads to the server."""
        self._server = server
        self._requests = Numbered()
        self._writing = threading.Lock()  # threads of the engine have news, and this one refusals

    def serve(self, core: Core) -> None:
        """Hand over what comes until the server is gone."""
        unframing = Unframing()
        while data := self._server.recv(CHUNK):
            for message in unframing.push(data):
                if isinstance(message, Submitted):
                    self._submit(core, message)
                elif isinstance(message, Cancelled):
                    self._cancel(core, message)

    def _submit(self, core: Core, message: Submitted) -> None:
        request, number = message.request(), message.number
        self._requests.add(number, request)
        try:
            core.submit(request)
        except ServiceError as error:
            self._requests.remove(request)
            self._send([Refused(number, error)])
            return
        if request.streams:  # of which a piece may have come already: it says the same, and more
            self._send([Accepted(number)])

    def _cancel(self, core: Core, message: Cancelled) -> None:
        request = self._requests.request(message.number)
        if request is not None:  # else it has ended meanwhile
            self._requests.remove(request)
            core.cancel(request)

    def emit(self, requests: list[Request]) -> None:
        """Tell the server of requests that have ended, or of which more is certain; on any thread."""
        news: list[Message] = []
        for request in requests:
            if request.finished_at:
                if (number := self._requests.remove(request)) is not None:
                    news.append(Ended.of(number, request))
            elif (number := self._requests.number(request)) is not None:
                news.append(Progressed.of(number, request))
        if news:
            self._send(news)

    def _send(self, news: list[Message]) -> None:
        with self._writing:
            self._server.sendall(frame(news))

    def close(self) -> None:
        """Say no more; what was said is still read."""
        with self._writing:
            self._server.shutdown(socket.SHUT_WR)
