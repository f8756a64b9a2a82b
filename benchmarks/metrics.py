"""Read a running server's metrics."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def scrape(http: str) -> dict[str, float]:
    """Return all samples of `http`/metrics, summed over models, by name and the labels that are not the model's."""
    with urllib.request.urlopen(f"{http}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(v for k, v in sorted(sample.labels.items()) if k not in ("model", "version"))
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            samples[key] = samples.get(key, 0.0) + sample.value
    return samples


def cpu_seconds(samples: dict[str, float]) -> float:
    """Return the processor time of a server, the processes of its engines included."""
    return samples["process_cpu_seconds_total"] + samples.get("seq2serve_engine_cpu_seconds_total", 0.0)


def resident_bytes(samples: dict[str, float]) -> float:
    """Return the memory of a server, the processes of its engines included."""
    return samples["process_resident_memory_bytes"] + samples.get("seq2serve_engine_resident_memory_bytes", 0.0)
