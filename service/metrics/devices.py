"""What models on a GPU take of its memory, and what passes between it and the host."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.device.state import DeviceState
from service.registry import Registry

LABELS = ("model", "version", "device")


class DeviceCollector(Collector):
    """Describe the versions of a registry that run on a GPU."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all of them; on the CPU there are none."""
        # As the engines' collector has just asked for them.
        loaded = [(model, device) for model in self._registry.models if (device := model.core.state.device)]
        if not loaded:
            return
        for name, text, read in GAUGES:
            gauge = GaugeMetricFamily(f"seq2serve_device_{name}", text, labels=LABELS)
            for model, state in loaded:
                gauge.add_metric([model.name, str(model.version), str(model.device)], read(state))
            yield gauge
        copied = CounterMetricFamily(
            "seq2serve_device_copied_bytes", "Bytes between host and GPU.", labels=[*LABELS, "direction"]
        )
        for model, state in loaded:
            labels = [model.name, str(model.version), str(model.device)]
            copied.add_metric([*labels, "to_device"], state.uploaded_bytes)
            copied.add_metric([*labels, "to_host"], state.downloaded_bytes)
        yield copied


GAUGES: list[tuple[str, str, Callable[[DeviceState], float]]] = [
    ("slot_bytes", "The GPU's memory that slots take.", lambda state: state.slot_bytes),
    ("memory_left_bytes", "The GPU's memory that this model may still take.", lambda state: state.left_bytes),
    ("captured_graphs", "Steps that were captured, to be launched at once.", lambda state: state.captured),
    ("probe_step_seconds", "A decoder step of up to 64 rows, timed at loading.", lambda state: state.probe_seconds),
]
