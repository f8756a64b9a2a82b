"""Ask a Prometheus what a dashboard's panels would ask it."""

import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What Grafana fills in; of its variables "All" is chosen.
FILLED = {"$__rate_interval": "1m", "$model": ".*", "$instance": ".*"}


class QueryFailed(Exception):
    """Say what Prometheus did not like."""


@dataclass(frozen=True)
class Series:
    """Hold one series: its labels, and its samples as Unix time and value."""

    labels: Mapping[str, str]
    samples: list[tuple[float, float]]


@dataclass(frozen=True)
class Prometheus:
    """Reach a Prometheus at a URL."""

    url: str

    def panel(
        self,
        expression: str,
        seconds: float,
        step: float,
        window: str = FILLED["$__rate_interval"],
        until: float | None = None,
    ) -> list[Series]:
        """Return what a panel's expression gave over some seconds, until now or a Unix time, without what is no number.

        Raises:
            QueryFailed: it is no PromQL, or Prometheus cannot be reached.
        """
        filled = expression.replace("$__rate_interval", window)
        for name, value in FILLED.items():
            filled = filled.replace(name, value)
        if unknown := re.search(r"\$\w+", filled):
            raise QueryFailed(f"{unknown[0]} is not defined: {expression}")
        end = time.time() if until is None else until
        found = self.get("query_range", query=filled, start=end - seconds, end=end, step=step)
        series = [
            Series(one["metric"], [(float(at), float(value)) for at, value in one["values"] if value != "NaN"])
            for one in found["result"]
        ]
        return [one for one in series if one.samples]

    def get(self, path: str, **parameters: object) -> Any:
        """Return the data of an answer of the HTTP API.

        Raises:
            QueryFailed: there is none.
        """
        query = urllib.parse.urlencode(parameters)
        url = f"{self.url.rstrip('/')}/api/v1/{path}?{query}"
        try:
            with urllib.request.urlopen(url, timeout=30) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            raise QueryFailed(f"{parameters.get('query', path)}: {error.read().decode(errors='replace')}") from error
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            raise QueryFailed(f"{self.url} does not answer as Prometheus does: {error}") from error
