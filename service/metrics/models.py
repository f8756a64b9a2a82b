"""What is loaded, on what it runs, and what became of the versions that are not served."""

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.model import Model
from service.registry import Registry

LABELS = ("model", "version")


class ModelCollector(Collector):
    """Describe the versions of a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all versions."""
        for name, text, read in GAUGES:
            gauge = GaugeMetricFamily(f"seq2serve_{name}", text, labels=LABELS)
            for model in self._registry.models:
                gauge.add_metric([model.name, str(model.version)], read(model))
            yield gauge
        yield self._info()
        yield from self._versions()

    def _info(self) -> Metric:
        info = GaugeMetricFamily(
            "seq2serve_model_info",
            "What is loaded, and the provider in use.",
            labels=[*LABELS, "provider", "device", "precision", "architecture", "bundle_digest"],
        )
        for model in self._registry.models:
            architecture = f"{model.manifest.architecture.cell}-{model.manifest.architecture.attention}"
            labels = [
                model.name,
                str(model.version),
                model.facts.provider,
                str(model.device),
                model.facts.precision,
                architecture,
            ]
            info.add_metric([*labels, model.digest], 1)
        return info

    def _versions(self) -> Iterator[Metric]:
        state = GaugeMetricFamily(
            "seq2serve_model_version_state", "1: the state that a version is in.", labels=[*LABELS, "state"]
        )
        parity = GaugeMetricFamily(
            "seq2serve_model_parity_ok",
            "1: the golden translations came out as exported; 0: they did not.",
            labels=LABELS,
        )
        for (name, version), status in sorted([*self._registry.statuses.items()]):
            labels = [name, str(version)]
            state.add_metric([*labels, "refused" if status.refused else status.state.name.lower()], 1)
            if status.parity is not None:
                parity.add_metric(labels, float(status.parity))
        yield state
        yield parity


GAUGES: list[tuple[str, str, Callable[[Model], float]]] = [
    ("model_load_duration_seconds", "Time to load, warm up and verify.", lambda m: m.facts.load_seconds),
    ("model_loaded_timestamp_seconds", "When the model was loaded (Unix time).", lambda m: m.facts.loaded_at),
    ("model_cpu_nodes", "Nodes of graphs on CUDA that run on the CPU.", lambda m: m.facts.cpu_nodes),
    ("model_fell_back", "1: a GPU is there, and the model runs on the CPU.", lambda m: float(m.device.fell_back)),
]
