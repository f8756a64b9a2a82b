"""The server as a process: how it starts, what it answers beside translations, how it stops."""

import asyncio
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from benchmarks.metrics import scrape
from seq2serve import AsyncClient, Client, Seq2ServeError
from seq2serve.v1 import translation_pb2, translation_pb2_grpc
from tests.eventually import eventually
from tests.server_process import ROOT, ServerProcess

SERVICES = ("", "seq2serve.v1.TranslationService", "seq2serve.v1.ModelService")
REPOSITORY = ROOT / "model_repository"
STARTED = "grpc_server_started_total{Translate,seq2serve.v1.TranslationService,unary}"


def fails_to_start(*arguments: str) -> str:
    """Start a server that must refuse; returns what it says."""
    command = [sys.executable, "-m", "service", "--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"]
    run = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode != 0
    assert "Traceback" not in run.stderr
    return run.stderr


def get(url: str) -> tuple[int, str]:
    """Fetch a page."""
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_ready_line_and_hint_are_true(server: ServerProcess) -> None:
    """The server names its addresses and models, and the command it shows works."""
    assert server.ready_line.startswith("seq2serve ")
    assert "en-de" in server.ready_line
    command = server.hint_line.removeprefix("Try: ").strip()
    assert f"--address {server.address}" in command
    arguments = shlex.split(command)[1:]
    run = subprocess.run(
        [sys.executable, "-m", "seq2serve", *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip()


def test_http_side_door(server: ServerProcess) -> None:
    """Probes and metrics answer, and nothing else does."""
    assert get(f"{server.http}/healthz") == (200, "alive\n")
    assert get(f"{server.http}/readyz") == (200, "ready\nen-de/1: int8 on cpu (CPUExecutionProvider)\n")
    status, text = get(f"{server.http}/metrics")
    assert status == 200
    assert 'seq2serve_model_info{architecture="gru-additive"' in text
    assert get(f"{server.http}/")[0] == 404


def test_metrics_follow_a_request(server: ServerProcess) -> None:
    """One translation moves every count by what it was."""
    before = scrape(server.http)
    with Client(server.address) as client:
        reply = client.translate("The cat sleeps on the warm stove.", tokens=True)
    after = scrape(server.http)
    pieces = len(reply.hypotheses[0].token_ids)

    def moved(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert moved(STARTED) == 1
    assert moved("grpc_server_handled_total{OK,Translate,seq2serve.v1.TranslationService,unary}") == 1
    assert moved("seq2serve_requests_finished_total{eos}") == 1
    assert moved("seq2serve_target_tokens_total") == pieces
    assert moved("seq2serve_batch_size_count{decode}") == pieces + 1
    assert moved("seq2serve_decode_step_duration_seconds_count") == pieces + 1
    assert moved("seq2serve_encode_batch_duration_seconds_count") == 1
    assert moved("seq2serve_request_duration_seconds_count") == 1
    for stage in ("tokenize", "queue", "encode", "decode", "detokenize"):
        assert moved(f"seq2serve_request_stage_duration_seconds_count{{{stage}}}") == 1
    assert after["seq2serve_slots_limit"] == 48
    assert after["seq2serve_slots_active"] == after["seq2serve_queue_requests"] == 0
    assert after["seq2serve_model_parity_ok"] == 1


def test_grpc_health(channel: grpc.Channel) -> None:
    """Health v1 knows the server and each of its services, and no others."""
    stub = health_pb2_grpc.HealthStub(channel)
    for service in SERVICES:
        assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == 1
    with pytest.raises(grpc.RpcError) as unknown:
        stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(health_pb2.HealthCheckRequest())
    assert next(iter(watch)).status == 1
    watch.cancel()


def test_reflection(channel: grpc.Channel) -> None:
    """A client without the .proto files finds services and descriptors."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="seq2serve.v1.TranslationService"),
    ]
    listed, file = stub.ServerReflectionInfo(iter(asked))
    assert {service.name for service in listed.list_services_response.service} >= set(SERVICES[1:])
    assert file.file_descriptor_response.file_descriptor_proto


def test_access_log_has_ids_and_stages_and_no_text(tmp_path: Path) -> None:
    """Each call leaves one line, and what was translated is not in it."""
    with ServerProcess("--log-format", "json") as server:
        with Client(server.address) as client:
            client.translate("Confidential words.", request_id="an-id")
            with pytest.raises(Seq2ServeError):
                client.translate("Confidential words.", model="secret-model")
        server.stop()
        lines = [line for line in server.log().splitlines() if '"event": "call"' in line]
    assert len(lines) == 2
    assert re.search(r'"id": "an-id".*"code": "OK".*"model": "en-de/1".*"decode_ms": [\d.]+', lines[0])
    assert '"reason": "model_not_found"' in lines[1]
    assert "Confidential" not in "".join(lines)


def test_neither_torch_nor_onnx_nor_telemetry(tmp_path: Path) -> None:
    """The serving process never imports what trains, and ONNX Runtime reports to nobody."""
    environment = {"PYTHONPROFILEIMPORTTIME": "1", "HOME": str(tmp_path)}
    with ServerProcess(environment=environment) as server:
        with Client(server.address) as client:
            assert client.translate("Hello.").text
        server.stop()
        imported = {line.rpartition("|")[2].strip().split(".")[0] for line in server.log().splitlines() if "|" in line}
    assert {"onnxruntime", "grpc", "numpy", "sentencepiece"} <= imported
    assert not {"torch", "onnx", "onnxscript", "models", "export"} & imported
    assert list(tmp_path.rglob("*")) == []


def test_busy_addresses_are_named(server: ServerProcess) -> None:
    """A second server on the same address refuses to start."""
    said = fails_to_start("--grpc-address", server.address)
    assert f"--grpc-address {server.address}: is in use" in said
    http = server.http.removeprefix("http://")
    assert f"--http-address {http}: Address already in use" in fails_to_start("--http-address", http)


def test_cuda_is_never_replaced_in_silence() -> None:
    """Where CUDA was asked for and is missing, the server says what is missing."""
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU")
    assert "--device cuda: " in fails_to_start("--device", "cuda")


@pytest.mark.parametrize(("asked", "used"), [("auto", "int8"), ("fp32", "fp32")])
def test_precision_in_use_is_told(asked: str, used: str) -> None:
    """GetModel, the metrics and the log name it."""
    with ServerProcess("--device", "cpu", "--precision", asked) as server:
        with Client(server.address) as client:
            assert client.model("en-de").precision == used
        assert f'precision="{used}"' in get(f"{server.http}/metrics")[1]
        assert f"loaded en-de version 1, {used}, in " in server.log()


def test_precision_that_a_bundle_lacks_is_refused(tmp_path: Path) -> None:
    """What was asked for is never replaced, and the message says what there is."""
    shutil.copytree(REPOSITORY / "en-de" / "1", tmp_path / "en-de" / "1")
    file = tmp_path / "en-de" / "1" / "manifest.json"
    described = json.loads(file.read_text())
    described["graphs"] = [graph for graph in described["graphs"] if graph["precision"] == "fp32"]
    file.write_text(json.dumps(described))
    said = fails_to_start("--model-repository", str(tmp_path), "--precision", "int8")
    assert f"--precision int8: {tmp_path}/en-de/1 has fp32" in said


BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing graph": (lambda p: (p / "step.onnx").unlink(), "step.onnx: cannot be read"),
    "flipped byte": (lambda p: _flip(p / "encoder.onnx"), "encoder.onnx: has SHA-256"),
    "truncated weights": (lambda p: _truncate(next(p.glob("*.bin"))), "bytes, the manifest says"),
    "format version": (lambda p: _edit(p, '"format_version": 1', '"format_version": 2'), "has format version 2"),
    "tensor size": (lambda p: _edit_sizes(p), "the manifest says"),
    "golden": (lambda p: _edit(p, '"ids": [', '"ids": [5, '), "golden sentence"),
    "no version": (lambda p: shutil.rmtree(p), "holds no version"),
}


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _edit(bundle: Path, old: str, new: str) -> None:
    manifest = bundle / "manifest.json"
    text = manifest.read_text()
    compact = re.sub(r"\[\s+", "[", text)
    assert old in compact
    manifest.write_text(compact.replace(old, new))


def _edit_sizes(bundle: Path) -> None:
    manifest = bundle / "manifest.json"
    manifest.write_text(re.sub(r"\b512\b", "511", manifest.read_text()))


@pytest.mark.parametrize("case", BREAKS)
def test_broken_bundle_is_not_served(tmp_path: Path, case: str) -> None:
    """The server refuses to start, and says which file and why."""
    damage, message = BREAKS[case]
    bundle = tmp_path / "repository" / "en-de" / "1"
    shutil.copytree(REPOSITORY / "en-de" / "1", bundle)
    damage(bundle)
    assert message in fails_to_start("--model-repository", str(tmp_path / "repository"))


def test_unfinished_export_does_not_count(tmp_path: Path) -> None:
    """Hidden folders are what an export left when it was killed."""
    (tmp_path / ".en-de-part").mkdir()
    assert "holds no model" in fails_to_start("--model-repository", str(tmp_path))


def test_highest_version_answers(tmp_path: Path) -> None:
    """Without a version the newest is meant; each is still to be had by number."""
    for version in ("1", "3"):
        shutil.copytree(REPOSITORY / "en-de" / "1", tmp_path / "en-de" / version)
    with ServerProcess("--model-repository", str(tmp_path)) as server, Client(server.address) as client:
        assert client.translate("Hello.").model.version == 3
        assert client.translate("Hello.", model="en-de:1").model.version == 1


def test_full_line_is_refused_at_once() -> None:
    """Beyond slots and line, requests get RESOURCE_EXHAUSTED; those admitted are answered."""

    async def flood(address: str) -> list[object]:
        async with grpc.aio.insecure_channel(address) as channel:
            stub = translation_pb2_grpc.TranslationServiceStub(channel)
            request = translation_pb2.TranslateRequest(text="There is a long queue in front of the bakery.")
            return await asyncio.gather(*(stub.Translate(request) for _ in range(200)), return_exceptions=True)

    with ServerProcess("--slots", "1", "--queue-limit", "5") as server:
        results = asyncio.run(flood(server.address))
        refused = [error for error in results if isinstance(error, grpc.aio.AioRpcError)]
        assert {error.code() for error in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert len(results) - len(refused) >= 6
        assert scrape(server.http)["seq2serve_requests_rejected_total{queue_full}"] == len(refused)


FLOOD = """
import asyncio, sys
from seq2serve import AsyncClient
async def main():
    async with AsyncClient(sys.argv[1]) as client:
        async def forever():
            while True:
                await client.translate("The river flows slowly through the old town and under the bridges.")
        await asyncio.gather(*(forever() for _ in range(32)))
asyncio.run(main())
"""


def test_killed_client_frees_its_slots() -> None:
    """A client that dies in mid-request leaves neither a slot nor a place in the line taken."""
    with ServerProcess("--slots", "4") as server:
        client = subprocess.Popen([sys.executable, "-c", FLOOD, server.address])
        try:
            assert eventually(lambda: scrape(server.http).get("seq2serve_slots_active", 0) == 4)
        finally:
            client.kill()
            client.wait()
        assert eventually(lambda: scrape(server.http)["grpc_server_in_flight{Translate}"] == 0)
        assert scrape(server.http)["seq2serve_requests_finished_total{cancelled}"] > 0
        for held in ("seq2serve_slots_active", "seq2serve_queue_requests"):  # the engine hears of it a moment later
            assert eventually(lambda held=held: scrape(server.http)[held] == 0)  # type: ignore[misc]
        assert eventually(lambda: scrape(server.http)["seq2serve_cancel_release_seconds_count"] > 0)
        with Client(server.address) as alive:
            assert alive.translate("Hello.").text


def test_deadline_that_passes_frees_its_slot() -> None:
    """The call ends with DEADLINE_EXCEEDED, and the engine gives up its request."""
    long = "We walked along the river with our friends until it was dark. " * 15
    with ServerProcess("--slots", "12") as server:

        async def hurry() -> list[object]:
            async with AsyncClient(server.address) as client:
                await client.translate("Who comes first has time.")  # so that there is a connection
                # Nobody waits, so each begins at once, whatever it is expected to take.
                calls = [client.translate(long, beam_size=12, timeout=0.1) for _ in range(3)]
                return [(await asyncio.gather(call, return_exceptions=True))[0] for call in calls]

        late = [error for error in asyncio.run(hurry()) if isinstance(error, Seq2ServeError)]
        assert len(late) == 3
        assert eventually(lambda: scrape(server.http)["grpc_server_in_flight{Translate}"] == 0)
        assert eventually(lambda: scrape(server.http)["seq2serve_slots_active"] == 0)
        # gRPC rounds a client's deadline up, so it hangs up before the server's own clock says so.
        figures = scrape(server.http)
        assert figures.get("seq2serve_requests_rejected_total{cancelled}", 0) == 0
        assert figures["seq2serve_requests_rejected_total{deadline_exceeded}"] >= 1


def test_sigterm_under_load_loses_nothing() -> None:
    """Draining refuses nobody it has accepted: health goes first, then what is in flight is finished."""

    async def load(address: str, stop: asyncio.Event, http: str) -> list[str]:
        answers: list[str] = []

        async def worker(client: AsyncClient) -> None:
            while not stop.is_set():
                answers.append((await client.translate("We will meet again when the snow has melted.")).text)

        async with AsyncClient(address) as client:
            workers = [asyncio.create_task(worker(client)) for _ in range(16)]
            while len(answers) < 50:
                await asyncio.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            while (await asyncio.to_thread(get, f"{http}/readyz"))[0] == 200:
                await asyncio.sleep(0.01)
            before = len(answers)
            while len(answers) < before + 50:  # it goes on serving while balancers take note
                await asyncio.sleep(0.01)
            stop.set()
            await asyncio.gather(*workers)
        return answers

    with ServerProcess("--drain-delay", "3") as server:
        answers = asyncio.run(load(server.address, asyncio.Event(), server.http))
        assert server.process.wait(60) == 0
        assert len(answers) >= 100
        assert len(set(answers)) == 1


def test_what_outlives_the_grace_is_told_to_go_elsewhere() -> None:
    """Calls that are not done when the grace ends get UNAVAILABLE with `draining`, and the server exits with 0."""

    async def crowd(server: ServerProcess) -> list[object]:
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = translation_pb2_grpc.TranslationServiceStub(channel)
            request = translation_pb2.TranslateRequest(text="There is a long queue in front of the bakery.")
            calls = [asyncio.ensure_future(stub.Translate(request)) for _ in range(300)]
            while (await asyncio.to_thread(scrape, server.http)).get(STARTED, 0) < len(calls):
                await asyncio.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            return await asyncio.gather(*calls, return_exceptions=True)

    with ServerProcess("--slots", "1", "--drain-grace", "0", "--default-deadline", "600") as server:
        results = asyncio.run(crowd(server))
        failed = [error for error in results if isinstance(error, grpc.aio.AioRpcError)]
        assert {error.code() for error in failed} == {grpc.StatusCode.UNAVAILABLE}
        assert {dict(error.trailing_metadata() or ())["seq2serve-reason"] for error in failed} == {"draining"}
        assert server.process.wait(60) == 0


def test_second_signal_exits_at_once() -> None:
    """Who does not want to wait for the drain sends another signal; calls that have ended by then are in the log."""
    with ServerProcess("--drain-delay", "600") as server, Client(server.address) as client:
        server.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: get(f"{server.http}/readyz")[0] == 503)
        request_id = client.translate("Good night.").request_id  # its line would be written a tenth of a second later
        assert server.stop(signal.SIGTERM) == 128 + signal.SIGTERM
        assert f'"id": "{request_id}"' in server.log()
