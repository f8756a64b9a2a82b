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
