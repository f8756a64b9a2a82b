"""Models of every cell and of every context, served side by side; benchmarks/family.py takes all pairs of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server_process import ServerProcess
from tests.torchlib import made_once

pytest.importorskip("torch")

from seq2serve import Client
from service.bundle import read_bundle
from service.parts import FP32
from tests.family import check_served, export_member

pytestmark = pytest.mark.torch

# One export takes seconds, so there is one member for each way to remember a source; `additive` is the bundled model's.
SERVED = ("lstm-fixed-initial", "gru-fixed-every-step", "rnn-dot", "lstm-general")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the members into one repository."""
    import torch

    torch.set_num_threads(1)  # models are too small to share
    folder = tmp_path_factory.mktemp("family")
    with made_once():
        for name in SERVED:
            export_member(folder / "runs", name, (FP32,), folder / "repository")
    return folder / "repository"


@pytest.fixture(scope="module")
def client(repository: Path) -> Iterator[Client]:
    """Serve them all at once."""
    with ServerProcess("--model-repository", str(repository)) as server, Client(server.address) as opened:
        yield opened


@pytest.mark.parametrize("name", SERVED)
def test_memory_is_what_the_context_needs(repository: Path, name: str) -> None:
    """A fixed context keeps nothing for each position of the source, and no step of it gives weights."""
    manifest = read_bundle(repository / name / "1").manifest
    kept = {tensor.name: tensor.shape[:-1] for tensor in manifest.memory}
    expected = {
        "fixed-initial": {}, "fixed-every-step": {"context": ("B",)}, "dot": {"values": ("B", "S")},
    }  # fmt: skip
    _, _, context = name.partition("-")
    assert kept == expected.get(context, {"keys": ("B", "S"), "values": ("B", "S")})
    aligned = [
        any(tensor.name == "alignment" for tensor in manifest.graph(role).outputs) for role in ("step", "step_full")
    ]
    assert aligned == [not context.startswith("fixed")] * 2


@pytest.mark.parametrize("name", SERVED)
def test_it_is_served_as_pytorch_computes_it(client: Client, repository: Path, name: str) -> None:
    """Greedily the same text, beams too, and an alignment where there is attention, a reason where there is none."""
    check_served(client, repository / name / "1")
