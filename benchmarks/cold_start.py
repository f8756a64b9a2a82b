"""Time from starting the process to gRPC health SERVING, with both bundled models, as `make serve` has them.

python -m benchmarks.cold_start
"""

import statistics
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.server_process import ROOT, ServerProcess


def cold_start() -> float:
    """Return the seconds until a health check says SERVING."""
    started = time.perf_counter()
    every = ("--model-repository", str(ROOT / "model_repository"))
    with ServerProcess(*every) as server, grpc.insecure_channel(server.address) as channel:
        reply = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
        seconds = time.perf_counter() - started
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
    return seconds


def main() -> None:
    """Print five starts and their median."""
    seconds = [cold_start() for _ in range(5)]
    print("seconds to SERVING:", ", ".join(f"{value:.2f}" for value in seconds))
    print(f"median {statistics.median(seconds):.2f} s")


if __name__ == "__main__":
    main()
