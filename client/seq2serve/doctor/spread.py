"""Whether calls reach all replicas, and not one of them alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import cast

import grpc

from seq2serve.access import Metadata
from seq2serve.doctor.finding import Finding, Level
from seq2serve.v1 import model_pb2, model_pb2_grpc

REPLICA_TRAILER = "seq2serve-replica"
LEAST = 0.5  # of its share that a replica must get
_FIX = (
    "gRPC keeps one connection: call a load balancer that spreads calls (docker compose's is port 50051), or a name "
    "that resolves to all replicas"
)


def ask(channel: grpc.Channel, metadata: Metadata, calls: int, timeout: float) -> Counter[str]:
    """Return how many calls each replica answered; the empty name stands for those that do not tell.

    Raises:
        grpc.RpcError: A call failed.
    """
    stub = model_pb2_grpc.ModelServiceStub(channel)
    seen: Counter[str] = Counter()
    for _ in range(calls):
        _, call = stub.ListModels.with_call(model_pb2.ListModelsRequest(), timeout=timeout, metadata=metadata)
        trailers = dict(iter(cast("Iterable[tuple[str, str]]", call.trailing_metadata() or ())))
        seen[trailers.get(REPLICA_TRAILER, "")] += 1
    return seen


def check_spread(seen: Counter[str], expected: int | None) -> Finding:
    """Judge how calls were spread over `expected` replicas, or over however many answered."""
    if "" in seen:
        return Finding(Level.NOTE, "spread", "the server does not say which replica answers", "update the server")
    shares = ", ".join(f"{name} {count}" for name, count in sorted(seen.items()))
    found = f"{seen.total()} calls, {len(seen)} replica{'' if len(seen) == 1 else 's'}: {shares}"
    if expected is not None and len(seen) < expected:
        return Finding(Level.FAULT, "spread", f"{found}; {expected} were expected", _FIX)
    if min(seen.values()) < LEAST * seen.total() / len(seen):
        fix = "look at that replica's step time and cores: a balancer gives less to who is slow"
        return Finding(Level.FAULT, "spread", f"{found}; one gets less than half of its share", fix)
    return Finding(Level.OK, "spread", found)
