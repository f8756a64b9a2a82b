"""A server on a real GPU; without one these are skipped, and tests/unit/service/device has what can be shown then."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.metrics import scrape
from seq2serve import Client, Translation
from service.bundle import read_bundle
from service.errors import StartupError
from service.provider import choose_device
from tests.server_process import ROOT, ServerProcess

BUNDLE = ROOT / "model_repository" / "en-de" / "1"
LABELS = "{cuda:0}"


def missing() -> str:
    """Say why there is no GPU to test with."""
    try:
        choose_device("cuda")
    except StartupError as error:
        return str(error)
    return ""


pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """Serve on the first GPU."""
    with ServerProcess("--device", "cuda:0", "--slots", "64", "--log-level", "warning") as server:
        yield server


def test_the_provider_is_the_one_that_was_asked_for(server: ServerProcess) -> None:
    """GetModel, metrics and a timed step agree that this is a GPU, with steps that were captured."""
    with Client(server.address) as client:
        runtime = client.model("en-de").message.runtime
    assert (runtime.provider, runtime.device) == ("CUDAExecutionProvider", "cuda:0")
    assert runtime.precision == "fp16"
    assert runtime.HasField("cpu_nodes")
    assert runtime.HasField("memcpy_nodes")
    assert runtime.memcpy_nodes == 0
    measured = scrape(server.http)
    assert measured[f"seq2serve_device_captured_graphs{LABELS}"] > 0
    assert 0 < measured[f"seq2serve_device_probe_step_seconds{LABELS}"] < 0.01  # no CPU takes a step of 64 rows so fast


def test_golden_translations_come_out_beside_others(server: ServerProcess) -> None:
    """Lengths and ways of searching mixed in every batch, all golden sentences are what PyTorch said."""
    golden = read_bundle(BUNDLE).manifest.golden * 8
    with Client(server.address) as client, ThreadPoolExecutor(32) as pool:
        noise = [pool.submit(client.translate, one.source, beam_size=1 + n % 5) for n, one in enumerate(golden)]
        found: list[Translation] = list(pool.map(client.translate, [one.source for one in golden]))
        assert all(one.result().text for one in noise)
    assert [one.text for one in found] == [one.outputs["fp16"].text for one in golden]


def test_memory_of_the_device_does_not_grow(server: ServerProcess) -> None:
    """Once every shape was seen, rounds of requests of all kinds leave as much as before."""
    golden = [one.source for one in read_bundle(BUNDLE).manifest.golden]
    name = f"seq2serve_device_memory_left_bytes{LABELS}"
    left = []
    with Client(server.address) as client, ThreadPoolExecutor(32) as pool:
        for _ in range(8):
            kinds = [(text, {"beam_size": 1 + n % 5}) for n, text in enumerate(golden * 25)]
            list(pool.map(lambda kind: client.translate(kind[0], **kind[1]), kinds))
            left.append(scrape(server.http)[name])
    # At first arenas of ONNX Runtime and workspaces of cuBLAS grow, by some MiB; a driver hands out 2 MiB at a time. A
    # rack more in each of four rounds were 6 MiB at least, and graphs of racks that come and go are tens in a round.
    assert left[3] - left[-1] <= 2 << 20, left


def test_too_many_slots_are_refused_with_numbers() -> None:
    """Who asks for more memory than there is hears how much it would be."""
    command = [sys.executable, "-m", "service", "--device", "cuda", "--slots", "4096", "--gpu-memory-limit", "600"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "--slots 4096" in done.stderr
    assert "MiB" in done.stderr
