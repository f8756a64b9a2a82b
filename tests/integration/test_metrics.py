"""What /metrics answers is what docs/metrics.md lists, and what replies say of their time."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.metrics import scrape
from seq2serve import Client, Translation
from tests.eventually import eventually
from tests.server_process import ROOT, ServerProcess

ROW = re.compile(r"\| `(?P<name>\w+)` \| (?P<type>\w+) \|(?P<labels>[^|]*)\|[^|]{9,}\|")
TEXT = "The old man reads a book in the garden."
STAGES = ("tokenize", "queue", "encode", "decode", "detokenize")

CANDIDATES = "seq2serve_shadow_requests_total"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """Serve with everything that measures turned on."""
    with ServerProcess("--cache-entries", "8", "--log-level", "warning") as server:
        yield server


def page(server: ServerProcess, accept: str = "text/plain") -> str:
    """Fetch /metrics."""
    request = urllib.request.Request(f"{server.http}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return str(reply.read().decode())


def test_the_page_lists_what_there_is(server: ServerProcess) -> None:
    """Names, types and labels are those of the table, and each has a meaning."""
    with Client(server.address) as client:
        client.translate(TEXT, alignment="hard", scores=True)
    rows = list(ROW.finditer((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")))
    listed = {row["name"]: (row["type"], set(filter(None, row["labels"].strip().split(", ")))) for row in rows}
    assert len(listed) == len(rows)
    for name in [name for name in listed if name.startswith("seq2serve_device_")]:
        del listed[name]  # which there are on a GPU alone: tests/unit/service/device holds them to this list
    answered = {}
    for family in text_string_to_metric_families(page(server)):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name == CANDIDATES:  # who are named once there are some: test_lifecycle has them
            assert listed.pop(name) == (family.type, {"model", "candidate", "outcome"})
            continue
        assert family.samples, f"{name} has no sample before its first event"
        answered[name] = (family.type, {label for sample in family.samples for label in sample.labels} - {"le"})
    assert answered == listed


def test_replies_say_what_the_metrics_say(server: ServerProcess) -> None:
    """Total, first piece and stages of 20 replies, alone, in a batch and in a stream, are what was observed."""
    before = scrape(server.http)
    with Client(server.address) as client:
        texts = [f"{TEXT} Number {number} is here." for number in range(18)]
        with ThreadPoolExecutor(6) as pool:
            replies = list(pool.map(client.translate, texts[:12]))
        replies += [one for one in client.translate_batch(texts[12:17]) if isinstance(one, Translation)]
        replies.append(client.translate(texts[17], alignment="hard", beam_size=4))
        with client.translate_stream(f"{TEXT} And then he sleeps.") as stream:
            list(stream)
            replies.append(stream.result())
        replies.append(client.translate(texts[0]))  # from the cache
    after = scrape(server.http)
    sums = {
        "total": "seq2serve_request_duration_seconds",
        "time_to_first_token": "seq2serve_time_to_first_token_seconds",
    }
    sums |= {stage: f"seq2serve_request_stage_duration_seconds%s{{{stage}}}" for stage in STAGES}
    for field, name in sums.items():
        key, count = (name % part if "%s" in name else name + part for part in ("_sum", "_count"))
        said = sum(getattr(reply.timing, field) for reply in replies if reply.timing)
        assert after[count] - before.get(count, 0) == len(replies) == 20
        assert after[key] - before.get(key, 0) == pytest.approx(said, abs=len(replies) * 1e-9, rel=1e-9), field


def test_stages_fit_into_the_total(server: ServerProcess) -> None:
    """What the stages leave of the total is hand-over between threads, and never negative."""
    with Client(server.address) as client:
        timing = client.translate("The stages of one text.").timing
    assert timing is not None
    assert sum(getattr(timing, stage) for stage in STAGES) <= timing.total


def test_signs_of_quality_follow_a_translation(server: ServerProcess) -> None:
    """Ratio, confidence, uncovered share and unknown pieces are those of the reply."""
    before = scrape(server.http)
    with Client(server.address) as client:
        reply = client.translate("The \u4e2d is in the house.", alignment="soft_sparse", scores=True, tokens=True)
    after = scrape(server.http)

    def moved(name: str) -> float:
        return after[name] - before.get(name, 0)

    best, source = reply.hypotheses[0], reply.source_tokens
    assert moved("seq2serve_output_length_ratio_sum") == pytest.approx(len(best.token_ids) / len(source))
    assert moved("seq2serve_output_confidence_ratio_count") == 1
    assert 0 < moved("seq2serve_output_confidence_ratio_sum") < 1
    assert moved("seq2serve_attention_uncovered_ratio_count") == 1
    assert 0 <= moved("seq2serve_attention_uncovered_ratio_sum") < 1
    assert moved("seq2serve_unknown_tokens_total{source}") == reply.usage.unknown_source_tokens > 0


def test_demand_follows_load(server: ServerProcess) -> None:
    """While more wait than there are slots for, more than this replica is asked for."""
    with Client(server.address) as client, ThreadPoolExecutor(40) as pool:
        calls = [pool.submit(client.translate, f"{TEXT} {i}. " * 6, beam_size=12, timeout=60) for i in range(400)]
        assert eventually(lambda: scrape(server.http)["seq2serve_desired_replicas"] > 1)
        client.close()  # cancels those in flight; no machine is so quick that all are done
        assert all(call.exception() for call in calls[-10:])
    assert eventually(lambda: scrape(server.http)["seq2serve_wasted_steps_total"] > 0)


def test_without_metrics_nothing_is_answered() -> None:
    """--no-metrics leaves probes and translations as they are."""
    with ServerProcess("--no-metrics") as server, Client(server.address) as client:
        assert str(client.translate(TEXT))
        with pytest.raises(urllib.error.HTTPError, match="404"):
            page(server)
        with urllib.request.urlopen(f"{server.http}/readyz", timeout=10) as reply:
            assert reply.status == 200
