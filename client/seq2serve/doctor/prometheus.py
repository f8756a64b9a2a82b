"""Whether Prometheus scrapes every replica, knows the rules, and has alerts that fire."""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

from seq2serve.doctor.finding import Finding, Level

JOB = "server"


def check_prometheus(url: str, replicas: int | None, timeout: float) -> Iterator[Finding]:
    """Ask the HTTP API of Prometheus; `replicas` should be scraped, each as a target of its own."""
    try:
        targets = _get(url, "targets?state=active", timeout)["activeTargets"]
        groups = _get(url, "rules", timeout)["groups"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        found = f"{url} does not answer as Prometheus does: {error}"
        yield Finding(Level.FAULT, "prometheus", found, "name its address, such as http://127.0.0.1:9090")
        return
    yield from _check_targets(targets, replicas)
    yield from _check_rules(groups)


def _check_targets(targets: list[dict[str, Any]], replicas: int | None) -> Iterator[Finding]:
    down = [target for target in targets if target["health"] != "up"]
    for target in down:
        found = f"{target['labels'].get('job')} {target['scrapeUrl']} is {target['health']}: {target['lastError']}"
        yield Finding(Level.FAULT, "scrape target", found, "start it, or open its --http-address to Prometheus")
    servers = [target for target in targets if target["labels"].get("job") == JOB]
    if replicas is not None and len(servers) < replicas:
        found = f"{len(servers)} of {replicas} replicas are scraped"
        fix = "discover them by DNS (dns_sd_configs of type A): one target must not stand for many replicas"
        yield Finding(Level.FAULT, "scrape target", found, fix)
    elif not servers:
        fix = f"scrape the servers' /metrics as the job {JOB!r}, as the rules expect"
        yield Finding(Level.FAULT, "scrape target", f"no target has the job {JOB!r}", fix)
    elif not down:
        yield Finding(Level.OK, "scrape target", f"all {len(targets)} up, {len(servers)} of them servers")


def _check_rules(groups: list[dict[str, Any]]) -> Iterator[Finding]:
    rules = [rule for group in groups for rule in group["rules"]]
    bad = [rule for rule in rules if rule.get("health") == "err"]
    for rule in bad:
        found = f"{rule['name']} fails: {rule.get('lastError')}"
        yield Finding(Level.FAULT, "rule", found, "promtool check rules deploy/prometheus/rules/*.yml")
    if not rules:
        yield Finding(Level.FAULT, "rules", "none is loaded", "name deploy/prometheus/rules/*.yml under rule_files")
    elif not bad:
        yield Finding(Level.OK, "rules", f"{len(rules)} are evaluated")
    for rule in rules:
        for alert in rule.get("alerts", ()):
            if alert["state"] == "firing":
                notes = alert["annotations"]
                found = f"{rule['name']} fires: {notes.get('summary', '')}"
                yield Finding(Level.FAULT, "alert", found, notes.get("runbook", "see Prometheus' page /alerts"))


def _get(url: str, path: str, timeout: float) -> Any:
    with urllib.request.urlopen(f"{url.rstrip('/')}/api/v1/{path}", timeout=timeout) as reply:
        return json.load(reply)["data"]
