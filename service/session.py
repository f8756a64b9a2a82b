"""ONNX Runtime sessions on the device that was asked for, or none at all."""

from collections.abc import Mapping
from pathlib import Path

import onnxruntime

from service.bundle import Bundle
from service.errors import BundleError, StartupError
from service.parts import FP16, FP32, INT8, Graph
from service.provider import INSTALL, PROVIDERS, Device


def choose_precision(asked: str, device: Device, bundle: Bundle) -> str:
    """Turn auto, or a precision by name, into one that a bundle has; auto takes int8 on the CPU alone, fp16 on a GPU.

    Raises:
        StartupError: the bundle has no graphs of the precision asked for; names those that it has.
    """
    offered = bundle.manifest.precisions
    if asked == "auto":
        wanted = (INT8, FP32) if device.kind == "cpu" else (FP16, FP32)
        return next((precision for precision in wanted if precision in offered), offered[0])
    if asked not in offered:
        has = ", ".join(offered)
        raise StartupError(f"--precision {asked}: {bundle.path} has {has} (use --precision auto, or export it so)")
    return asked


def open_session(
    bundle: Bundle, graph: Graph, device: Device, threads: int, settings: Mapping[str, str] | None = None
) -> onnxruntime.InferenceSession:
    """Load a graph and check its tensors against the manifest; `settings` are those of a device's provider.

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
        # A warning for each session that no plug-in offers CUDA, which the library brings along itself.
        onnxruntime.set_default_logger_severity(3)
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")  # for `cpu_nodes`
    providers = [(device.provider, dict(settings or {}))] + ([(PROVIDERS["cpu"], {})] if device.kind != "cpu" else [])
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime raises classes of its own, without a common base
        raise BundleError(path, f"ONNX Runtime cannot load it: {error}") from error
    if session.get_providers()[0] != device.provider:
        libraries = f"its libraries must be found: {INSTALL}"
        raise StartupError(f"{path} runs on {session.get_providers()[0]} and not on {device}: {libraries}")
    sizes = {"C": bundle.manifest.candidates, "V": bundle.manifest.vocabulary.size}
    _check_tensors(path, graph, sizes, session)
    return session


def cpu_nodes(session: onnxruntime.InferenceSession) -> int:
    """Count the nodes of a graph on CUDA that run on the CPU.

    Those for arithmetic of shapes are left there on purpose: shapes are known to the host, so nothing is copied for it.
    """
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
