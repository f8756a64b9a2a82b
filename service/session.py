"""ONNX Runtime sessions on the device that was asked for, or none at all."""

import ctypes
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from service.bundle import FP32, INT8, Bundle, Graph
from service.errors import BundleError, StartupError

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True)
class Device:
    """Name where graphs run, and why not elsewhere when that was left open."""

    kind: str  # cpu or cuda
    note: str = ""
    fell_back: bool = False  # a GPU is there, and models run on the CPU without having been told to


def choose_device(asked: str) -> Device:
    """Turn auto, cpu or cuda into a device.

    Raises:
        StartupError: cuda was asked for and this machine cannot run it; says what is missing.
    """
    if asked == "cpu":
        return Device("cpu")
    missing = _missing_for_cuda()
    if missing is None:
        onnxruntime.preload_dlls()  # the CUDA libraries of the wheels, where they are installed
        return Device("cuda")
    if asked == "cuda":
        raise StartupError(f"--device cuda: {missing} (use --device cpu to run without a GPU)")
    return Device("cpu", note=missing, fell_back=has_gpu())


def choose_precision(asked: str, device: Device, bundle: Bundle) -> str:
    """Turn auto, or a precision by name, into one that a bundle has; auto takes int8 on the CPU alone, if it is there.

    Raises:
        StartupError: the bundle has no graphs of the precision asked for; names those that it has.
    """
    offered = bundle.manifest.precisions
    if asked == "auto":
        wanted = (INT8, FP32) if device.kind == "cpu" else (FP32,)
        return next((precision for precision in wanted if precision in offered), offered[0])
    if asked not in offered:
        has = ", ".join(offered)
        raise StartupError(f"--precision {asked}: {bundle.path} has {has} (use --precision auto, or export it so)")
    return asked


def has_gpu(devices: Path = Path("/dev")) -> bool:
    """Tell whether the kernel, or the container's runtime, shows an NVIDIA GPU, whether or not anything can use it."""
    return any(devices.glob("nvidia[0-9]*"))


def _missing_for_cuda() -> str | None:
    if PROVIDERS["cuda"] not in onnxruntime.get_available_providers():
        return "this onnxruntime is built without CUDA: install onnxruntime-gpu"
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    except OSError:
        return "no NVIDIA driver (libcuda.so.1) is installed"
    if status or count.value == 0:
        return f"the NVIDIA driver sees no GPU (status {status})"
    return None


def open_session(bundle: Bundle, graph: Graph, device: Device, threads: int) -> onnxruntime.InferenceSession:
    """Load a graph and check its tensors against the manifest.

    Raises:
        BundleError: ONNX Runtime refuses the file, or its tensors are not those of the manifest.
        StartupError: the session does not run on `device`.
    """
    path = bundle.file(graph.file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads that spin take the cores from the other session's pool: the largest single cost on few cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    if device.kind != "cpu":
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")  # for `cpu_nodes`
    providers = [PROVIDERS[device.kind]] + ([PROVIDERS["cpu"]] if device.kind != "cpu" else [])
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime raises classes of its own, without a common base
        raise BundleError(path, f"ONNX Runtime cannot load it: {error}") from error
    if session.get_providers()[0] != PROVIDERS[device.kind]:
        libraries = "CUDA 13 and cuDNN 9 libraries must be found: pip install onnxruntime-gpu[cuda,cudnn]"
        raise StartupError(f"{path} runs on {session.get_providers()[0]} and not on {device.kind}: {libraries}")
    sizes = {"C": bundle.manifest.candidates, "V": bundle.manifest.vocabulary.size}
    _check_tensors(path, graph, sizes, session)
    return session


def cpu_nodes(session: onnxruntime.InferenceSession) -> int:
    """Count the nodes of a graph on CUDA that run on the CPU, each of which may copy from the GPU and back."""
    placed = session.get_provider_graph_assignment_info()
    return sum(len(part.get_nodes()) for part in placed if part.ep_name == PROVIDERS["cpu"])


def _check_tensors(path: Path, graph: Graph, sizes: dict[str, int], session: onnxruntime.InferenceSession) -> None:
    for kind, wanted, found in (
        ("input", graph.inputs, session.get_inputs()),
        ("output", graph.outputs, session.get_outputs()),
    ):
        declared = {tensor.name: tensor for tensor in wanted}
        real = {node.name: node for node in found}
        if declared.keys() != real.keys():
            raise BundleError(path, f"has {kind}s {sorted(real)}, the manifest says {sorted(declared)}")
        for name, tensor in declared.items():
            node = real[name]
            kind_name = {"float64": "double", "float32": "float"}.get(tensor.type, tensor.type)
            same_rank = len(node.shape) == len(tensor.shape)
            axes = [(sizes.get(str(n), n), m) for n, m in zip(tensor.shape, node.shape, strict=False)]
            fixed = all(not isinstance(n, int) or n == m for n, m in axes)
            if node.type != f"tensor({kind_name})" or not same_rank or not fixed:
                raise BundleError(
                    path, f"{kind} {name} is {node.type} {node.shape}, the manifest says {tensor.type} {tensor.shape}"
                )
