"""Prometheus metrics: docs/metrics.md lists them, by the files of this package."""
