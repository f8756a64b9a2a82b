"""Versions come and go while the server serves, a bad one never does, and no call notices."""

import json
import re
import shutil
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from seq2serve import Client, Unimplemented, VersionNotFound
from seq2serve.v1 import admin_pb2, admin_pb2_grpc, model_pb2, model_pb2_grpc
from service.tokens import digest_of
from tests.eventually import eventually
from tests.integration.conftest import scrape
from tests.server_process import ROOT, ServerProcess

Alias, Stub = model_pb2.ModelAlias, admin_pb2_grpc.AdminServiceStub
TEXT = "The bakery on the corner opens at six in the morning, and it closes when all the bread is sold."
OUTCOMES = ("same", "different", "failed", "skipped")
AVAILABLE, END = model_pb2.MODEL_STATE_AVAILABLE, model_pb2.MODEL_STATE_END


def put(repository: Path, version: int, broken: bool = False, curt: bool = False) -> None:
    """Put a version into a repository in one step, as an export does.

    A broken one has another golden translation. A curt one translates to three pieces at most.
    """
    hidden = repository / "en-de" / f".{version}"
    shutil.copytree(ROOT / "model_repository" / "en-de" / "1", hidden)
    manifest = json.loads((hidden / "manifest.json").read_text())
    if broken:
        for output in manifest["golden"][0]["outputs"].values():
            output["ids"] = output["ids"][::-1]
    if curt:
        manifest["limits"]["max_length"] = 3
        for example in manifest["golden"]:
            for output in example["outputs"].values():
                output["ids"] = output["ids"][:3]
    (hidden / "manifest.json").write_text(json.dumps(manifest))
    hidden.rename(repository / "en-de" / str(version))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a repository with version 1."""
    (tmp_path / "en-de").mkdir()
    put(tmp_path, 1)
    return tmp_path


@contextmanager
def administered(repository: Path, *flags: str) -> Iterator[tuple[ServerProcess, Stub]]:
    """Start a server, and open a stub to administer it."""
    every = ("--model-repository", str(repository), "--admin-address", "127.0.0.1:0", *flags)
    with ServerProcess(*every) as server, grpc.insecure_channel(admin_address(server)) as channel:
        yield server, Stub(channel)


def admin_address(server: ServerProcess) -> str:
    """Return where a server is administered."""
    found = re.search(r"administration on (\S+?)\"", server.log())
    assert found
    return found[1]


def states(server: ServerProcess) -> dict[int, tuple[int, str]]:
    """Return the states of all versions, and why they ended."""
    with grpc.insecure_channel(server.address) as channel:
        reply = model_pb2_grpc.ModelServiceStub(channel).GetModel(model_pb2.GetModelRequest())
    return {status.version: (status.state, status.message) for status in reply.model.versions}


def refusal(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str, str]:
    """Return code, reason and message of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error = caught.value
    return error.code(), str(dict(error.trailing_metadata())["seq2serve-reason"]), str(error.details())


def load(stub: Stub, version: int, name: str = "en-de") -> model_pb2.VersionStatus:
    """Load a version."""
    return stub.LoadModel(admin_pb2.LoadModelRequest(name=name, version=version)).status


def unload(stub: Stub, version: int) -> model_pb2.VersionStatus:
    """Unload a version."""
    return stub.UnloadModel(admin_pb2.UnloadModelRequest(name="en-de", version=version)).status


def test_versions_are_swapped_under_load_without_a_lost_call(repository: Path) -> None:
    """Calls go on while a version is loaded and the old one leaves; what it had, it finishes."""
    with administered(repository) as (server, stub), Client(server.address) as client:
        stopped = threading.Event()
        answered: Counter[int] = Counter()

        def call(_: int) -> None:
            while not stopped.is_set():
                answered[client.translate("The bakery opens at six in the morning.").model.version] += 1

        with ThreadPoolExecutor(8) as pool:
            callers = [pool.submit(call, number) for number in range(8)]
            try:
                put(repository, 2)
                assert load(stub, 0).version == 2  # the newest
                before = answered[2]
                assert eventually(lambda: answered[2] > before + 50)
                assert unload(stub, 1) == model_pb2.VersionStatus(version=1, state=END, message="unloaded")
                before = answered[2]
                assert eventually(lambda: answered[2] > before + 50)
            finally:
                stopped.set()
            for caller in callers:
                caller.result()
        assert answered[1]
        with pytest.raises(VersionNotFound, match="no version 1; served: 2"):
            client.translate("Hello.", model="en-de:1")
        assert states(server) == {2: (AVAILABLE, ""), 1: (END, "unloaded")}
        assert load(stub, 1).state == AVAILABLE  # and back
        assert client.translate("Hello.", model="en-de:1").model.version == 1


def test_a_bad_version_never_serves(repository: Path) -> None:
    """A version whose golden translations come out otherwise, or whose files were changed, is refused by name."""
    put(repository, 2, broken=True)
    shutil.move(repository / "en-de" / "2", repository / ".aside")
    with administered(repository) as (server, stub), Client(server.address) as client:
        shutil.move(repository / ".aside", repository / "en-de" / "2")
        code, reason, message = refusal(lambda: load(stub, 2))
        assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "model_refused")
        assert "golden sentence" in message
        put(repository, 3)
        with (repository / "en-de" / "3" / "weights.bin").open("r+b") as weights:
            weights.write(b"\xff")
        code, reason, message = refusal(lambda: load(stub, 3))
        assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "model_refused")
        assert "weights.bin" in message
        found = states(server)
        assert found[1] == (AVAILABLE, "")
        assert [found[version][0] for version in (2, 3)] == [END, END]
        assert "golden sentence" in found[2][1]
        with urllib.request.urlopen(f"{server.http}/metrics", timeout=10) as reply:
            metrics = reply.read().decode()
        for version, ok in ((1, 1.0), (2, 0.0)):
            assert f'seq2serve_model_parity_ok{{model="en-de",version="{version}"}} {ok}' in metrics
        assert 'seq2serve_model_parity_ok{model="en-de",version="3"}' not in metrics  # it never came so far
        assert 'seq2serve_model_version_state{model="en-de",state="refused",version="3"} 1.0' in metrics
        assert client.translate("Hello.").model.version == 1


def test_what_is_not_there_is_not_found(repository: Path) -> None:
    """Unknown names and versions, and names that lead elsewhere, are refused."""
    with administered(repository) as (_, stub):
        for name, version in (("en-de", 7), ("xx", 1), ("xx", 0), ("../en-de", 1), ("en-de/1/..", 1), ("", 1)):
            code, reason, _ = refusal(lambda name=name, version=version: load(stub, version, name))  # type: ignore[misc]
            assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "version_not_found")
        assert refusal(lambda: unload(stub, 2))[1] == "version_not_found"
        assert refusal(lambda: unload(stub, 0))[1] == refusal(lambda: load(stub, -1))[1] == "invalid_option"


def test_aliases_of_the_settings_outlive_a_restart(repository: Path) -> None:
    """A server begins with them, and keeps what they name, so that a version that is only tried answers nobody else."""
    flags = ("--aliases", "en-de:stable=1", "--serve-versions", "1", "--poll-seconds", "0.1")
    for starts in range(2):
        with administered(repository, *flags) as (server, stub), Client(server.address) as client:
            for version in (2, 3) if not starts else ():
                put(repository, version)
                assert eventually(lambda v=version: states(server).get(v, (0, ""))[0] == AVAILABLE, 60)  # type: ignore[misc]
            if not starts:
                assert eventually(lambda: states(server)[2] == (END, "unloaded"), 60)
            assert {version for version, state in states(server).items() if state[0] == AVAILABLE} == {1, 3}
            assert client.models()[0].aliases == {"stable": 1}
            assert client.translate("Hello.").model.version == 1
            stub.SetAlias(admin_pb2.SetAliasRequest(name="en-de", alias=Alias(alias="stable", version=3)))
            assert client.translate("Hello.").model.version == 3


def test_an_alias_of_what_is_not_served_stops_the_start(repository: Path) -> None:
    """Nothing is served by another version than was asked for."""
    server = administered(repository, "--aliases", "en-de:stable=2")
    with pytest.raises(RuntimeError, match=r"--aliases en-de:stable=2: .*en-de has no version 2, but 1"), server:
        pass


def test_aliases_name_versions_and_share_out_requests(repository: Path) -> None:
    """An alias is asked for by name, takes its share of the others, moves, and goes with its version."""
    put(repository, 2)
    with administered(repository) as (server, stub), Client(server.address) as client:

        def set_alias(name: str, version: int, weight: float = 0.0) -> list[str]:
            alias = Alias(alias=name, version=version, weight=weight)
            reply = stub.SetAlias(admin_pb2.SetAliasRequest(name="en-de", alias=alias))
            return [f"{alias.alias}={alias.version}" for alias in reply.aliases]

        def answering(**over: Any) -> int:
            return client.translate("Hello.", **over).model.version

        assert answering() == 2
        assert set_alias("stable", 1) == ["stable=1"]
        assert answering() == answering(model="en-de:stable") == 1
        assert set_alias("canary", 2, 0.5) == ["canary=2", "stable=1"]
        assert {answering(model="en-de:canary") for _ in range(5)} == {2}
        for weight in (0.4, 0.15, 0.5):  # all of them together are 1, also as 32 bits carry them
            assert set_alias("canary", 2, 0.0) == set_alias("stable", 1, 1 - weight) == set_alias("canary", 2, weight)
        assert set_alias("stable", 1) == ["canary=2", "stable=1"]
        with ThreadPoolExecutor(16) as pool:
            shares = Counter(pool.map(lambda _: answering(), range(400)))
        assert 140 < shares[2] < 260
        assert set(shares) == {1, 2}
        model = client.models()[0]
        assert model.aliases == {"canary": 2, "stable": 1}
        assert refusal(lambda: set_alias("canary", 3))[1] == "version_not_found"
        assert refusal(lambda: set_alias("other", 1, 0.6))[1] == "invalid_option"
        unload(stub, 2)
        assert answering() == 1
        with pytest.raises(VersionNotFound, match="no alias 'canary'; there are: stable"):
            answering(model="en-de:canary")
        gone = stub.DeleteAlias(admin_pb2.DeleteAliasRequest(name="en-de", alias="stable"))
        assert list(gone.aliases) == []
        missing = admin_pb2.DeleteAliasRequest(name="en-de", alias="stable")
        assert refusal(lambda: stub.DeleteAlias(missing))[1] == "version_not_found"


def test_a_candidate_is_compared_with_what_was_answered(repository: Path) -> None:
    """It sees a share of the requests, callers see nothing of it, and it can be unloaded like any other."""
    put(repository, 2)
    put(repository, 3, curt=True)
    with administered(repository) as (server, stub), Client(server.address) as client:

        def shadow(version: int, share: float = 1.0) -> None:
            stub.SetShadow(admin_pb2.SetShadowRequest(name="en-de", version=version, share=share))

        def mirrored() -> Counter[str]:
            figures = scrape(server.http)
            keys = {f"{c}-{o}": f"seq2serve_shadow_requests_total{{{c},{o}}}" for c in (2, 3) for o in OUTCOMES}
            return Counter({key: int(figures[name]) for key, name in keys.items() if name in figures})

        def translate(**over: Any) -> str:
            return client.translate("The bakery opens at six in the morning.", model="en-de:1", **over).text

        expected = translate(beam_size=4)
        shadow(2)
        assert translate(beam_size=4) == expected
        assert eventually(lambda: mirrored() == {"2-same": 1})
        client.translate("The bakery opens at six.", model="en-de:2")  # the candidate itself
        translate(seed=1, temperature=0.5)
        shadow(3)
        assert translate(beam_size=4) == expected
        with client.translate_stream("Good morning, and sit down.", model="en-de:1") as stream:
            assert "".join(map(str, stream))
        assert eventually(lambda: mirrored() == {"2-same": 1, "3-different": 2})
        translate(max_length=10)  # more than the candidate can
        assert eventually(lambda: mirrored() == {"2-same": 1, "3-different": 2, "3-failed": 1})
        shadow(3, 0.0)
        translate()
        shadow(3)
        assert unload(stub, 3).state == END
        assert translate(beam_size=4) == expected
        assert mirrored() == {"2-same": 1, "3-different": 2, "3-failed": 1}
        assert refusal(lambda: shadow(3))[1] == "version_not_found"
        assert refusal(lambda: shadow(2, 1.5))[1] == "invalid_option"
        assert refusal(lambda: shadow(2, float("nan")))[1] == "invalid_option"


def test_versions_share_the_cores(repository: Path) -> None:
    """A version that is flooded does not take the time of another: who asks that one is answered meanwhile."""
    put(repository, 2)
    with ServerProcess("--model-repository", str(repository)) as server, Client(server.address, timeout=300) as client:
        done: list[None] = []
        flood = [client.submit(f"{TEXT} {number}", model="en-de:1", beam_size=8) for number in range(120)]
        for one in flood:
            one.add_done_callback(lambda: done.append(None))
        for number in range(10):
            assert client.translate(f"{TEXT} {number}", model="en-de:2").model.version == 2
        assert len(done) < len(flood) / 2
        assert {one.result().model.version for one in flood} == {1}


def test_administration_is_not_on_the_data_port(repository: Path) -> None:
    """Who can translate cannot administer, nor the other way round, whatever was called before where it is served."""
    asked = admin_pb2.UnloadModelRequest(name="en-de", version=1)
    with (
        administered(repository) as (server, stub),
        grpc.insecure_channel(server.address) as channel,
        Client(server.address) as client,
        Client(admin_address(server)) as misled,
    ):
        assert refusal(lambda: stub.UnloadModel(admin_pb2.UnloadModelRequest(name="en-de", version=9)))
        assert client.translate(TEXT).text
        with pytest.raises(grpc.RpcError) as caught:
            Stub(channel).UnloadModel(asked)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(Unimplemented):
            misled.translate(TEXT)


def test_administration_needs_its_scope(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where there are tokens, one for translating does not administer, and one for administering does."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    lines = (f"{name} {scope} {digest_of(name).hex()}\n" for name, scope in (("web", "translate"), ("ops", "admin")))
    file.write_text("".join(lines))
    asked = admin_pb2.LoadModelRequest(name="en-de", version=1)
    with administered(repository, "--token-file", str(file)) as (_, stub):
        for metadata, code, reason in (
            ([], grpc.StatusCode.UNAUTHENTICATED, "unauthenticated"),
            ([("authorization", "Bearer web")], grpc.StatusCode.PERMISSION_DENIED, "permission_denied"),
        ):
            found = refusal(lambda metadata=metadata: stub.LoadModel(asked, metadata=metadata))  # type: ignore[misc]
            assert found[:2] == (code, reason)
        allowed = stub.LoadModel(asked, metadata=[("authorization", "Bearer ops")])
        assert allowed.status.state == AVAILABLE


def test_the_repository_is_followed(repository: Path) -> None:
    """A new version replaces the old one; a broken one does not, and one that is taken away leaves."""
    policy = ("--serve-versions", "1", "--poll-seconds", "0.1")
    with ServerProcess("--model-repository", str(repository), *policy) as server, Client(server.address) as client:
        put(repository, 2)
        assert eventually(lambda: states(server).get(1) == (END, "unloaded"), 60)
        assert client.translate("Hello.").model.version == 2
        put(repository, 3, broken=True)
        assert eventually(lambda: states(server).get(3, (0, ""))[0] == END, 60)
        assert client.translate("Hello.").model.version == 2
        shutil.rmtree(repository / "en-de" / "3")
        assert eventually(lambda: 3 not in states(server), 60)
        put(repository, 3)
        assert eventually(lambda: states(server).get(2) == (END, "unloaded"), 60)
        assert client.translate("Hello.").model.version == 3
