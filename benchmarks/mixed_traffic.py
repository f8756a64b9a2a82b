"""All that clients do to a server, well-behaved or not: the kinds of calls of a soak."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import grpc

from seq2serve.v1 import model_pb2, model_pb2_grpc, options_pb2, translation_pb2, translation_pb2_grpc
from tests.fuzz.caller import send
from tests.fuzz.requests import Request

LIMIT = 60.0  # seconds, far above what any call takes
TO_THE_END = frozenset({grpc.StatusCode.OK})
GIVEN_UP = frozenset({grpc.StatusCode.OK, grpc.StatusCode.CANCELLED})
LATE = frozenset({grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED})
REFUSED = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND})
Kind = Callable[[], grpc.StatusCode]


class Caller:
    """Make calls of all kinds over a channel of its own, one at a time."""

    def __init__(self, address: str, texts: Sequence[str], garbage: Sequence[Request], seed: int) -> None:
        """Take sentences, and requests that no client would send; the seed decides what is chosen."""
        self._address, self._texts, self._garbage = address, texts, garbage
        self._random = random.Random(seed)
        self._open()
        # How often each kind is drawn, and how it may end.
        self.kinds: list[tuple[Kind, int, frozenset[grpc.StatusCode]]] = [
            (self.text, 8, TO_THE_END),
            (self.beams, 3, TO_THE_END),
            (self.sample, 1, TO_THE_END),
            (self.batch, 1, TO_THE_END),
            (self.stream, 3, TO_THE_END),
            (self.bulk, 1, TO_THE_END),
            (self.score, 1, TO_THE_END),
            (self.models, 1, TO_THE_END),
            (self.cancel, 3, GIVEN_UP),
            (self.leave_stream, 3, GIVEN_UP),
            (self.leave_bulk, 1, GIVEN_UP),
            (self.hurry, 3, LATE),
            (self.mistake, 2, REFUSED),
            (self.reconnect, 1, TO_THE_END),
            (self.garbage, 4, frozenset(grpc.StatusCode) - {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}),
        ]

    def call(self) -> tuple[str, grpc.StatusCode, bool]:
        """Make one call; returns its kind, how it ended, and whether it might end so."""
        kind, _, allowed = self._random.choices(self.kinds, [often for _, often, _ in self.kinds])[0]
        try:
            code = kind()
        except grpc.RpcError as error:
            failed: Any = error  # is the call as well
            code = failed.code()
        return kind.__name__, code, code in allowed

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _open(self) -> None:
        self._channel = grpc.insecure_channel(self._address, [("grpc.use_local_subchannel_pool", 1)])
        self._stub = translation_pb2_grpc.TranslationServiceStub(self._channel)

    def _request(self, **options: Any) -> translation_pb2.TranslateRequest:
        decoding = options_pb2.DecodeOptions(**options)
        return translation_pb2.TranslateRequest(text=self._random.choice(self._texts), options=decoding)

    def text(self) -> grpc.StatusCode:
        """Translate a text."""
        self._stub.Translate(self._request(), timeout=LIMIT)
        return grpc.StatusCode.OK

    def beams(self) -> grpc.StatusCode:
        """Search with beams."""
        self._stub.Translate(self._request(beam_size=self._random.randint(2, 8)), timeout=LIMIT)
        return grpc.StatusCode.OK

    def sample(self) -> grpc.StatusCode:
        """Draw a translation."""
        self._stub.Translate(self._request(temperature=0.8, seed=self._random.getrandbits(32)), timeout=LIMIT)
        return grpc.StatusCode.OK

    def batch(self) -> grpc.StatusCode:
        """Translate several texts in a call."""
        items = [self._request() for _ in range(8)]
        self._stub.TranslateBatch(translation_pb2.TranslateBatchRequest(items=items), timeout=LIMIT)
        return grpc.StatusCode.OK

    def stream(self) -> grpc.StatusCode:
        """Read a translation as it is made."""
        list(self._stub.TranslateStream(self._request(), timeout=LIMIT))
        return grpc.StatusCode.OK

    def bulk(self) -> grpc.StatusCode:
        """Translate a stream of texts."""
        list(self._stub.TranslateBulk(self._requests(20), timeout=LIMIT))
        return grpc.StatusCode.OK

    def score(self) -> grpc.StatusCode:
        """Score a translation."""
        request = translation_pb2.ScoreRequest(source_text=self._random.choice(self._texts), target_text="Guten Tag.")
        self._stub.Score(request, timeout=LIMIT)
        return grpc.StatusCode.OK

    def models(self) -> grpc.StatusCode:
        """Ask what is served."""
        model_pb2_grpc.ModelServiceStub(self._channel).ListModels(model_pb2.ListModelsRequest(), timeout=LIMIT)
        return grpc.StatusCode.OK

    def cancel(self) -> grpc.StatusCode:
        """Give a call up, soon after it began."""
        call = self._stub.Translate.future(self._request(beam_size=4), timeout=LIMIT)
        time.sleep(self._random.uniform(0, 0.1))
        call.cancel()
        return call.code()

    def leave_stream(self) -> grpc.StatusCode:
        """Read the first parts of a stream only."""
        call = self._stub.TranslateStream(self._request(), timeout=LIMIT)
        list(islice(call, self._random.randint(0, 4)))
        call.cancel()
        return call.code()

    def leave_bulk(self) -> grpc.StatusCode:
        """Read the first results of a bulk only."""
        call = self._stub.TranslateBulk(self._requests(30), timeout=LIMIT)
        list(islice(call, self._random.randint(0, 5)))
        call.cancel()
        return call.code()

    def hurry(self) -> grpc.StatusCode:
        """Set a deadline that may be too tight."""
        self._stub.Translate(self._request(beam_size=4), timeout=self._random.uniform(0.001, 0.3))
        return grpc.StatusCode.OK

    def mistake(self) -> grpc.StatusCode:
        """Ask for what there is not."""
        request = self._request(beam_size=self._random.choice((0, 1000)))
        request.model.name = "" if request.options.beam_size else "xx"
        self._stub.Translate(request, timeout=LIMIT)
        return grpc.StatusCode.OK

    def reconnect(self) -> grpc.StatusCode:
        """Hang up with a call in flight, and connect anew."""
        self._stub.Translate.future(self._request(), timeout=LIMIT)
        self.close()
        self._open()
        return self.text()

    def garbage(self) -> grpc.StatusCode:
        """Send what no client would."""
        return send(self._channel, self._random.choice(self._garbage)).code

    def _requests(self, count: int) -> Iterator[translation_pb2.TranslateRequest]:
        return iter([self._request() for _ in range(count)])
