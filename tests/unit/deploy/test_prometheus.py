"""What the check of the dashboards asks, and what it makes of who does not answer."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from deploy.grafana.prometheus import Prometheus, QueryFailed


def test_a_port_of_grpc_is_no_prometheus() -> None:
    """It speaks no HTTP/1, which is said as any other failure."""
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with pytest.raises(QueryFailed, match=f"{port} does not answer as Prometheus does"):
            Prometheus(f"http://127.0.0.1:{port}").get("query", query="up")
    finally:
        server.stop(None).wait()
