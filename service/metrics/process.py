"""What runs: versions, memory, cores, the garbage collector, and how many of it there should be."""

import asyncio
import platform

import onnxruntime
from prometheus_client import CollectorRegistry, Gauge, gc_collector, platform_collector, process_collector

from service import VERSION
from service.demand import Demand


def register_process(registry: CollectorRegistry, demand: Demand) -> None:
    """Add what tells of the process as a whole."""
    process_collector.ProcessCollector(registry=registry)
    platform_collector.PlatformCollector(registry=registry)
    gc_collector.GCCollector(registry=registry)
    loop = asyncio.get_running_loop()
    tasks = Gauge("seq2serve_event_loop_tasks", "Tasks of the event loop, those of gRPC included.", registry=registry)
    tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
    build = Gauge("seq2serve_build_info", "What runs.", ["version", "onnxruntime", "python"], registry=registry)
    build.labels(VERSION, onnxruntime.__version__, platform.python_version()).set(1)
    desired = Gauge(
        "seq2serve_desired_replicas", "Replicas that this one's load is worth; sum and round up.", registry=registry
    )
    desired.set_function(lambda: demand.replicas)
