"""Libraries that we are measured against have our model's size, and produce as many tokens as they are told to."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import grpc
import pytest

from benchmarks import library_row
from benchmarks.peers import (
    ctranslate2,
    ctranslate2_model,
    library_command,
    library_process,
    marian,
    marian_model,
    marian_worker,
)
from benchmarks.peers.library_process import Library
from benchmarks.peers.library_result import PRECISIONS, Result, read_jobs, read_result, write_jobs
from seq2serve.v1 import translation_pb2

PARAMETERS = json.loads((library_command.BUNDLE / "manifest.json").read_text())["architecture"]["parameters"]
LIBRARIES = (ctranslate2.LIBRARY, marian.LIBRARY)
RESULT = Result("Nobody", "1.0", "none", sentences=3, target_tokens=24, seconds=2, cpu_seconds=4, peak_bytes=1)
SOURCES = [["▁The", "▁house"], ["▁We"], ["▁Who", "▁is", "▁there", "?"]]
TARGETS = [1, 3, 20]

installed = pytest.mark.parametrize(
    ("library", "run"),
    [
        pytest.param(
            module.LIBRARY,
            module.run,
            id=module.LIBRARY.name,
            marks=pytest.mark.skipif(bool(module.missing()), reason=module.missing()),
        )
        for module in (ctranslate2, marian)
    ],
)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Stand where a library could be installed."""
    monkeypatch.setattr(library_process, "ENVIRONMENTS", tmp_path / "environments")
    monkeypatch.setattr(library_process, "MODELS", tmp_path / "models")
    return Library("nobody", (), "model.bin")


def install(library: Library, script: str) -> None:
    """Put a script where the library's Python is looked for."""
    library.python.parent.mkdir(parents=True)
    library.python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    library.python.chmod(0o755)
    library.folder.mkdir(parents=True)
    (library.folder / library.model).touch()


@pytest.mark.parametrize("model", [ctranslate2_model, marian_model])
def test_a_model_is_as_large_as_ours(model: ModuleType) -> None:
    """Its parameters are the bundled model's within 5 %."""
    assert model.parameters() == pytest.approx(PARAMETERS, rel=0.05)


@installed
def test_a_model_holds_the_parameters_that_were_counted(library: Library, run: object) -> None:
    """The file has four bytes for each, and little else."""
    counted = {"ctranslate2": ctranslate2_model, "marian": marian_model}[library.name].parameters()

    assert (library.folder / library.model).stat().st_size == pytest.approx(4 * counted, rel=0.002)


@installed
@pytest.mark.parametrize("precision", PRECISIONS)
def test_as_many_tokens_are_produced_as_are_wanted(
    library: Library, run: Callable[[list[list[str]], list[int], str], Result], precision: str
) -> None:
    """Neither the source's length nor the batch's other sentences matter, down to a single token."""
    result = run(SOURCES * 30, TARGETS * 30, precision)  # more than one batch

    assert (result.sentences, result.target_tokens) == (90, 30 * sum(TARGETS))
    assert run([["▁We"]], [1], precision).target_tokens == 1


@pytest.mark.skipif(bool(ctranslate2.missing()), reason=ctranslate2.missing())
def test_calls_in_company_get_the_tokens_they_want() -> None:
    """Behind the server too, each request's own length holds; one without is refused."""
    lengths = {f"This is sentence {number}.": 1 + number % 7 for number in range(100)}
    peer = ctranslate2.CTranslate2(lengths)
    with peer.serve() as endpoint, grpc.insecure_channel(endpoint.address) as channel:
        call = channel.unary_unary(endpoint.method)
        with ThreadPoolExecutor(100) as callers:
            replies = list(callers.map(lambda text: call(peer.payload(text), timeout=60), lengths))
        with pytest.raises(grpc.RpcError) as refused:
            call(ctranslate2.TranslatePeer().payload("How long?"), timeout=60)

    assert [peer.target_tokens(reply) for reply in replies] == list(lengths.values())
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_libraries_make_a_step_for_our_end_symbol() -> None:
    """They are told to take as many steps as our decoder, and rates are of the tokens that ours counts."""
    wanted: list[int] = []

    def run(sources: list[list[str]], targets: list[int], precision: str) -> Result:
        wanted.extend(targets)
        return Result("Nobody", "1.0", precision, len(sources), sum(targets), seconds=2, cpu_seconds=4, peak_bytes=1)

    row = library_row.Library("nobody", run, "fp32", lambda: "").measure(SOURCES, TARGETS)

    assert wanted == [2, 4, 21]
    assert row.tokens_per_second == sum(TARGETS) / 2


def test_ctranslate2_behind_a_server_makes_the_same_step() -> None:
    """A request asks for one token more than our translation has, and the reply's is not counted."""
    peer = ctranslate2.CTranslate2({"Who is there?": 4})
    asked = translation_pb2.TranslateRequest.FromString(peer.payload("Who is there?")).options.max_length
    reply = translation_pb2.TranslateResponse(usage=translation_pb2.Usage(target_tokens=asked))

    assert asked == 5
    assert peer.target_tokens(reply.SerializeToString()) == 4


def test_jobs_survive_their_file() -> None:
    """Pieces may hold what Python, but not the file's reader, takes for the end of a line."""
    sources = [*SOURCES, ["▁a\u2028b", "\x85"]]

    assert read_jobs(write_jobs(sources, [1, 2, 3, 4])) == list(zip(sources, [1, 2, 3, 4], strict=True))


def test_rates_are_by_the_clock() -> None:
    """Processor time, which several threads spend at once, is not what is divided by."""
    assert (RESULT.sentences_per_second, RESULT.tokens_per_second) == (1.5, 12)


def test_a_result_is_the_last_that_was_printed() -> None:
    """Whatever the library has said before is passed over."""
    assert read_result(f"loading\n{json.dumps(asdict(RESULT))}\n") == RESULT


@pytest.mark.parametrize("named", LIBRARIES, ids=lambda named: named.name)
def test_what_is_not_installed_says_how_to_install_it(named: Library, library: Library) -> None:
    """The reason names the command, and is the error of who runs it all the same."""
    reason = named.missing()

    assert f"python -m benchmarks.peers.{named.name} --install" in reason
    with pytest.raises(RuntimeError, match=f"{named.name} is not installed"):
        named.run(SOURCES, TARGETS, "fp32", 1)


def test_an_environment_without_a_model_is_not_enough(library: Library) -> None:
    """An installation that broke off is not taken for one."""
    install(library, "exit 0")
    assert not library.missing()

    (library.folder / library.model).unlink()
    assert library.missing()


def test_a_process_is_told_its_jobs_and_heard(library: Library) -> None:
    """It gets the model, the jobs, the precision and the threads, and its result comes back."""
    script = f"test $(wc -l < $4) = 3 && test $5$6 = int82 && echo '{json.dumps(asdict(RESULT))}'"
    install(library, script)

    assert library.run(SOURCES, TARGETS, "int8", 2) == RESULT


def test_other_lengths_than_were_wanted_are_an_error(library: Library) -> None:
    """A figure for other work than was asked for is no figure."""
    install(library, f"echo '{json.dumps(asdict(RESULT))}'")

    with pytest.raises(RuntimeError, match="nobody produced 24 tokens, 25 were wanted"):
        library.run(SOURCES, [1, 4, 20], "fp32", 2)


def test_a_process_that_fails_says_why(library: Library) -> None:
    """Its last words are in the error."""
    install(library, "echo no such model >&2; exit 3")

    with pytest.raises(RuntimeError, match="nobody ended with 3: no such model"):
        library.run(SOURCES, TARGETS, "fp32", 2)


def test_marian_knows_its_own_symbols_first() -> None:
    """Its vocabulary has the same pieces, and as many."""
    pieces = ["<pad>", "<unk>", "<s>", "</s>", ".", "▁the"]

    assert marian_model.marian_vocabulary(pieces) == ["</s>", "<unk>", "<pad>", "<s>", ".", "▁the"]


@pytest.mark.parametrize("target", [1, 2, 3, 9])
def test_marian_is_forced_up_to_the_end_symbol(target: int) -> None:
    """All tokens but the last are given, and the bound on the length does not cut them."""
    job = (["▁old", "▁bridge"], target)
    source, beginning = marian_worker.line(job).split("\t")

    assert source == "▁old ▁bridge"
    assert len(beginning.split()) == target - 1
    assert marian_worker.factor([job]) * len(job[0]) > target


def test_the_command_says_what_is_missing(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with an error instead of installing anything."""
    with pytest.raises(SystemExit) as ended:
        library_command.main("", library, marian.run, ["sentences.txt"])

    assert ended.value.code == 1
    assert "nobody is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["library_result", "ctranslate2_model", "marian_model", "marian_worker"])
def test_what_runs_in_other_environments_needs_little(module: str) -> None:
    """No package of ours is loaded that the library's own environment lacks."""
    code = f"import sys, benchmarks.peers.{module}; sys.exit('grpc' in sys.modules or 'onnxruntime' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=library_process.ROOT, check=False).returncode == 0
