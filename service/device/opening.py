"""Open a bundle on a GPU."""

from collections.abc import Sequence
from functools import cache

import onnxruntime

from service.bundle import Bundle
from service.device.cuda import CudaMemory
from service.device.memory import DeviceFull, DeviceLost
from service.device.runner import DeviceRunner
from service.device.steps import ROLES
from service.errors import StartupError
from service.parts import FP16, Graph
from service.provider import Device, load_libraries, runtime_library
from service.session import open_session


def open_on_gpu(
    bundle: Bundle, precision: str, device: Device, slots: int, source_lengths: Sequence[int], limit: int | None
) -> DeviceRunner:
    """Load a bundle's graphs to run on a GPU, with room for `slots` hypotheses, in at most `limit` bytes.

    Raises:
        StartupError: a graph does not load or does not run there, or memory does not suffice; says how much is needed.
    """
    load_libraries()  # an engine is in another process than the server, which chose the device
    try:
        memory = CudaMemory(device.number, runtime_library(), limit)

        @cache
        def share() -> int | None:
            return None if limit is None else share_of_sessions(memory)

        def open_graph(graph: Graph, captures: bool) -> onnxruntime.InferenceSession:
            return open_session(bundle, graph, device, 1, provider_settings(memory, graph, captures, share()))

        return DeviceRunner(bundle, precision, memory, open_graph, slots, source_lengths, captures=True)
    except DeviceFull as error:
        raise StartupError(f"--slots {slots}: {error}: take fewer slots, or raise --gpu-memory-limit") from error
    except DeviceLost as error:
        raise StartupError(f"--device {device}: {error}") from error


def share_of_sessions(memory: CudaMemory) -> int:
    """Return the bytes that each session of a model may take of what its slots have left, so that all keep the limit.

    One more share is for tables, and slots that are taken later.
    """
    sessions = len(ROLES) + 2  # the encoder's, and the tables' while they are made
    share = memory.left() // (sessions + 1)
    memory.reserve(share * sessions)
    return share


def provider_settings(memory: CudaMemory, graph: Graph, captures: bool, limit: int | None) -> dict[str, str]:
    """Return the settings of ONNX Runtime's CUDA provider for the session of a graph.

    All sessions of a model run on one stream, so what they do is in order with every copy, and nobody waits in between.
    """
    settings = {
        "device_id": str(memory.number),
        "user_compute_stream": str(memory.stream),
        "enable_cuda_graph": str(int(captures)),
        "arena_extend_strategy": "kSameAsRequested",
        # Ten bits of mantissa are not fp32, but all that there is of numbers that were fp16 before.
        "use_tf32": str(int(graph.precision == FP16)),
    }
    return settings | ({} if limit is None else {"gpu_mem_limit": str(limit)})
