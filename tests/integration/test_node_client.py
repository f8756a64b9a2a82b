"""A client in another language has what it needs in the .proto files: the example for Node runs as it is shown."""

from collections.abc import Callable
from functools import partial

import pytest

from seq2serve import Client
from tests.node_example import Run, install
from tests.server_process import ServerProcess

TEXTS = ["Good morning.", "Where is my café?"]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Install the example; returns what runs it with an address and texts."""
    return install(tmp_path_factory.mktemp("node"))


@pytest.fixture
def node(example: Callable[..., Run], server: ServerProcess) -> Callable[..., Run]:
    """Return what runs the example on texts."""
    return partial(example, server.address)


def test_one_text(node: Callable[..., Run], client: Client) -> None:
    """Translate gives what our own client gets."""
    run = node(TEXTS[1])
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"{client.translate(TEXTS[1]).text}\n"


def test_batch(node: Callable[..., Run], client: Client) -> None:
    """TranslateBatch gives each text its translation or its own status."""
    run = node(TEXTS[0], " ", TEXTS[1])
    assert (run.returncode, run.stderr) == (0, "")
    first, second, third = run.stdout.splitlines()
    assert [first, third] == [client.translate(text).text for text in TEXTS]
    assert second == "INVALID_ARGUMENT empty_source: text: holds nothing to translate"


def test_error(node: Callable[..., Run]) -> None:
    """The status code, the reason and the request's id can be read."""
    run = node(" ")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("INVALID_ARGUMENT empty_source: text: holds nothing to translate (request ")
    assert len(run.stderr.rpartition("(request ")[2].removesuffix(")\n")) == 32


def test_nobody_answers(example: Callable[..., Run]) -> None:
    """gRPC's own error has no reason and no id, so none is printed."""
    run = example("127.0.0.1:1", TEXTS[0])
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("UNAVAILABLE: ")
    assert "undefined" not in run.stderr
