"""Loads a server: sends requests at a chosen pace, and says what became of them.

    payloads = [request.SerializeToString() for request in requests]
    async with open_calls("127.0.0.1:50051", TRANSLATE) as calls:
        run = await generate(calls, payloads, OpenLoop(rate=50), Extent(seconds=10))
    print(summarize(run, slo=0.2))

It knows bytes and status codes only, so that it takes little of the machine that it measures.
"""

from seq2serve.load.clock import Clock, event_loop
from seq2serve.load.connections import TRANSLATE, Call, open_calls
from seq2serve.load.generator import Run, generate
from seq2serve.load.loops import ClosedLoop, Extent, Loop, OpenLoop
from seq2serve.load.samples import Samples
from seq2serve.load.spread import Spread, failures, spreads
from seq2serve.load.summary import Summary, percentile, summarize

__all__ = [
    "TRANSLATE",
    "Call",
    "Clock",
    "ClosedLoop",
    "Extent",
    "Loop",
    "OpenLoop",
    "Run",
    "Samples",
    "Spread",
    "Summary",
    "event_loop",
    "failures",
    "generate",
    "open_calls",
    "percentile",
    "spreads",
    "summarize",
]
