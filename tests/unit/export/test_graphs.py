"""The graphs of every kind of model: what they compute, alone and in company, and how they are stored."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
import torch
from numpy.typing import NDArray

from export import convert
from export.convert import OF_MANY_ROWS
from export.errors import ParityError
from export.exporter import REFERENCES, Options, export
from export.fused import DOMAIN, OPERATOR, PRODUCT
from export.halved import halve
from export.parity import Graphs, check_graphs
from export.restore import restore
from export.signature import Signature
from export.weights import round_to_half
from models.checkpoint import load_best
from models.seq2seq import Seq2Seq
from service.bundle import Bundle, read_bundle
from service.parts import FP16, FP32, GREEDY_ROLES, INT8, Graph
from tests.server_process import ROOT
from tests.unit.export.factories import make_run
from tests.unit.export.loading import every_node, loaded, operators_on_weights

pytestmark = pytest.mark.torch

Array = NDArray[Any]
# Every cell, and every choice of a recipe both ways; test_exporter.py has one more, like the model that ships. In int8
# some products of the GRU and the LSTM stay in float, as they read sums of layers; test_quantized.py has which.
MODELS: dict[str, dict[str, Any]] = {
    "rnn-whole": {"cell": "rnn", "encoder_layers": 2, "decoder_layers": 2, "attends": "between", "layer_norm": True},
    "gru": {
        "cell": "gru", "bidirectional": False, "encoder_layers": 2, "residual": True, "embedding_size": 18,
        "tie_embeddings": False, "context": "general", "input_feeding": True,
    },
    "lstm": {"cell": "lstm", "decoder_layers": 2, "residual": True, "attends": "between"},
}  # fmt: skip
PRECISIONS = {"rnn-whole": (FP32, INT8), "gru": (FP32, INT8), "lstm": (FP32, FP16)}
NO_PROMISE = "fp16 is for GPUs, where a row's bits depend on its batch"
CASES = [(name, precision) for name, precisions in PRECISIONS.items() for precision in precisions]
TYPES = {
    torch.float32: onnx.TensorProto.FLOAT, torch.float16: onnx.TensorProto.FLOAT16, torch.int8: onnx.TensorProto.INT8,
}  # fmt: skip


@dataclass
class Exported:
    """Hold an exported model, its graphs of one precision, and the PyTorch model with the same weights."""

    bundle: Bundle
    graphs: Graphs
    model: Seq2Seq
    half: bool

    precision: str

    def served(self) -> list[Graph]:
        """List the graphs that a server of this precision loads."""
        graphs = self.bundle.manifest.graphs
        return [graph for graph in graphs if graph.role == "tables" or graph.precision == self.precision]


Exports = Callable[[str], dict[str, Exported]]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """Export a model when it is asked for; that alone proves parity with PyTorch, and golden translations."""

    @cache
    def make(name: str) -> dict[str, Exported]:
        folder = tmp_path_factory.mktemp("export")
        run = make_run(folder / "run", MODELS[name])
        half = not name.endswith("whole")
        options = Options(run, folder / "repository" / "en-de", half=half, candidates=7, precisions=PRECISIONS[name])
        bundle = read_bundle(export(options))
        _, _, model, _ = load_best(run, torch.device("cpu"))
        if half:
            round_to_half(model)
        models = {p: REFERENCES[p](model) for p in PRECISIONS[name]}
        return {p: Exported(bundle, Graphs(bundle, p), one, half, p) for p, one in models.items()}

    return make


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def exported(request: pytest.FixtureRequest, exports: Exports) -> Exported:
    """Take one precision of one model."""
    name, precision = request.param
    return exports(name)[precision]


def sources(count: int, length: int, seed: int = 1) -> tuple[Array, Array]:
    """Make padded sources (B, S) and their lengths (B,)."""
    random = numpy.random.default_rng(seed)
    lengths = random.integers(1, length + 1, count)
    ids = random.integers(4, 46, (count, length))
    ids[numpy.arange(length) >= lengths[:, None]] = 0
    return ids, lengths


def padded(array: Array, length: int) -> Array:
    """Cut or fill axis 1 to a length, with noise: what is there must not matter."""
    noise = numpy.random.default_rng(7).normal(size=(array.shape[0], length, *array.shape[2:]))
    noise[:, : array.shape[1]] = array[:, :length]
    return noise.astype(array.dtype)


def step_feed(graphs: Graphs, encoded: Any, lengths: Array, width: int) -> dict[str, Array]:
    """Make the inputs of a step from an encoder's outputs: random words and parents, states that differ."""
    random = numpy.random.default_rng(2)
    feed = {name: encoded[name] for name in graphs.memory}
    for name in graphs.state:
        shift = random.normal(size=(1, width, 1)).astype(numpy.float32)
        feed[name] = numpy.tanh(encoded[name][:, None] + 0.3 * shift).astype(encoded[name].dtype)
    shape = (len(lengths), width)
    ids = {"previous_ids": random.integers(4, 46, shape), "parents": random.integers(0, width, shape)}
    return {**feed, **ids, "source_lengths": lengths}


@pytest.mark.parametrize("length", [1, 8, 13, 24, 31])
def test_encoder_row_has_the_same_bits_alone(exported: Exported, length: int) -> None:
    if exported.precision == FP16:
        pytest.skip(NO_PROMISE)
    ids, lengths = sources(64, length)
    together = exported.graphs.run("encoder", source_ids=ids, source_lengths=lengths)
    for row in (0, 1, 37, 63):
        n = lengths[row]
        for other in {n, n + 1, -(-n // 8) * 8, length, 37, 40}:
            one = padded(ids[row : row + 1], int(other))
            one[:, n:] = 0
            alone = exported.graphs.run("encoder", source_ids=one, source_lengths=lengths[row : row + 1])
            for name in exported.graphs.memory:
                assert numpy.array_equal(together[name][row, :n], alone[name][0, :n]), name
            for name in exported.graphs.state:
                assert numpy.array_equal(together[name][row], alone[name][0]), name


@pytest.mark.parametrize("role", ["step", "step_full", "step_greedy"])
@pytest.mark.parametrize("width", [1, 5])
def test_step_row_has_the_same_bits_alone(exported: Exported, role: str, width: int) -> None:
    if exported.precision == FP16:
        pytest.skip(NO_PROMISE)
    graphs = exported.graphs
    ids, lengths = sources(64, 24)
    feed = step_feed(graphs, graphs.run("encoder", source_ids=ids, source_lengths=lengths), lengths, width)
    together = graphs.run(role, **feed)
    for row in (0, 1, 37, 63):
        n = lengths[row]
        for other in {-(-n // 8) * 8, 24, 40}:
            one = {name: array[row : row + 1] for name, array in feed.items()}
            one |= {name: padded(one[name], int(other)) for name in graphs.memory}
            alone = graphs.run(role, **one)
            for name, array in together.items():
                here, there = array[row], alone[name][0]
                if name == "alignment":
                    here, there = here[:, :n], there[:, :n]
                assert numpy.array_equal(here, there), name


def test_step_gives_the_best_of_step_full(exported: Exported) -> None:
    graphs = exported.graphs
    ids, lengths = sources(5, 8)
    feed = step_feed(graphs, graphs.run("encoder", source_ids=ids, source_lengths=lengths), lengths, 3)
    best, every = graphs.run("step", **feed), graphs.run("step_full", **feed)["log_probabilities"]
    chosen = numpy.take_along_axis(every, best["candidate_ids"], axis=-1)
    assert numpy.array_equal(chosen, best["candidate_log_probabilities"])
    assert numpy.array_equal(chosen, -numpy.sort(-every)[..., :7])
    assert numpy.exp(every).sum(-1) == pytest.approx(1, abs=1e-5)


def test_padding_and_empty_slots_are_clean(exported: Exported) -> None:
    graphs = exported.graphs
    ids, lengths = sources(4, 8)
    lengths[2] = 0
    encoded = graphs.run("encoder", source_ids=ids, source_lengths=lengths)
    assert (encoded["values"][numpy.arange(8) >= lengths[:, None]] == 0).all()
    feed = step_feed(graphs, encoded, lengths, 2)
    for name in graphs.memory:
        feed[name][2] = 30 if exported.precision == FP16 else 1e4  # whatever the slot last held
    for role in ("step", "step_full", "step_greedy"):
        outputs = graphs.run(role, **feed)
        assert all(numpy.isfinite(array).all() for array in outputs.values())
        assert (outputs["alignment"][0, :, lengths[0] :] == 0).all()


@pytest.mark.parametrize(
    ("product", "where"),
    [
        ("decoder.cell.recurrent", r"step at B = \d+, S = \d+, W = \d+, step \d+"),
        ("encoder.layers.0.0.recurrent", r"encoder(_sequence)? at B = \d+, S = \d+"),
    ],
)
def test_another_model_is_noticed(exported: Exported, product: str, where: str) -> None:
    other = copy.deepcopy(exported.model)
    with torch.no_grad():
        other.get_parameter(f"{product}.weight")[0, 0] += 0.1 if exported.precision == FP32 else 16
    with pytest.raises(ParityError, match=f"{where} differs from PyTorch by"):
        check_graphs(exported.bundle, exported.precision, other)


def stored_as(name: str, parameter: torch.Tensor, half: bool) -> torch.dtype:
    """Return the type of a stored weight; scales of integer columns are too small for fp16."""
    if parameter.dtype == torch.int8 or name.endswith(".scale"):
        return parameter.dtype
    return torch.float16 if half else torch.float32


def test_weights_are_stored_once(exported: Exported) -> None:
    if exported.precision == FP16:
        pytest.skip("its weights are those of fp32, see below")
    places: dict[str, tuple[str, ...]] = {}
    types: dict[str, int] = {}
    for graph in exported.served():
        proto = onnx.load(exported.bundle.file(graph.file), load_external_data=False)
        for tensor in proto.graph.initializer:
            if tensor.external_data:
                place = tuple(entry.value for entry in tensor.external_data)
                assert places.setdefault(tensor.name, place) == place
                types[tensor.name] = tensor.data_type
            else:
                assert numpy.prod(tensor.dims) <= 4, f"{tensor.name} is a weight inside {graph.file}"
    assert len(set(places.values())) == len(places)
    stored = sum(int(length) for _, _, length in places.values())
    expected = {
        name: stored_as(name, parameter, exported.half) for name, parameter in exported.model.named_parameters()
    }
    assert stored == sum(expected[name].itemsize * p.numel() for name, p in exported.model.named_parameters())
    assert all(types[name] == TYPES[expected[name]] for name in types.keys() & expected.keys())
    assert set(types.values()) == {TYPES[dtype] for dtype in expected.values()}

    own = "weights.bin" if exported.precision == FP32 else "weights_int8.bin"
    lengths = {name: int(length) for name, (file, _, length) in places.items() if file == own}
    assert exported.bundle.manifest.files[own].bytes <= sum(lengths.values()) + 64 * len(lengths)
    integer = {name for name, dtype in expected.items() if dtype == torch.int8}
    if integer:  # what both precisions have in common lies in the file of fp32
        assert lengths.keys() == integer | {name for name in expected if name.endswith(".scale")}


def stored(graph: onnx.GraphProto) -> dict[str, tuple[str, ...]]:
    """List where the weights of a graph lie."""
    external = (tensor for tensor in graph.initializer if tensor.external_data)
    return {tensor.name: tuple(entry.value for entry in tensor.external_data) for tensor in external}


def test_fp16_graphs_read_the_weights_of_fp32(exports: Exports) -> None:
    """So a bundle with them is hardly larger."""
    bundle = exports("lstm")[FP16].bundle
    graphs = {
        graph: onnx.load(bundle.file(graph.file), load_external_data=False).graph for graph in bundle.manifest.graphs
    }
    half = {place for graph, proto in graphs.items() if graph.precision == FP16 for place in stored(proto).values()}
    full = {place for graph, proto in graphs.items() if graph.precision == FP32 for place in stored(proto).values()}
    assert half
    assert half <= full
    assert "weights_fp16.bin" not in bundle.manifest.files


def test_fp16_graphs_of_whole_weights_have_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "ROLES", ("encoder_sequence",))
    _, _, model, _ = load_best(make_run(tmp_path / "run"), torch.device("cpu"))
    convert.write_graphs(model, {FP16: halve(model)}, Signature.of(model, 7), False, tmp_path)
    graph = onnx.load(tmp_path / "encoder_sequence_fp16.onnx", load_external_data=False).graph
    assert {file for file, *_ in stored(graph).values()} == {"weights_fp16.bin"}
    assert {t.data_type for t in graph.initializer if t.external_data} == {onnx.TensorProto.FLOAT16}


@pytest.mark.parametrize("role", ["step_select", "step_beam"])
def test_fp16_steps_cast_three_times(exports: Exports, role: str) -> None:
    """Energies to single precision, attention weights back, and readouts; what else is cast is a weight, at load."""
    exported = exports("lstm")[FP16]
    graph = onnx.load(exported.bundle.file(f"{role}_fp16.onnx"), load_external_data=False).graph
    fixed, cast = {tensor.name for tensor in graph.initializer}, 0
    for node in graph.node:
        if fixed.issuperset(node.input):
            fixed |= set(node.output)  # made of weights, when the graph is loaded
        else:
            cast += node.op_type == "Cast"
    assert cast == 3 + (role == "step_beam")  # whose log-probabilities are added in double precision


def test_fp16_steps_read_weights_alone_only_at_load(exports: Exports, tmp_path: Path) -> None:
    """In those of the model that ships, too, which is a GRU."""
    folder = exports("lstm")[FP16].bundle.path
    for written in (*folder.glob("step*_fp16.onnx"), ROOT / "model_repository" / "en-de" / "1" / "step_beam_fp16.onnx"):
        assert operators_on_weights(written)
        assert not operators_on_weights(loaded(written, tmp_path / written.name))


def test_steps_choose_what_their_scores_say(exported: Exported) -> None:
    graphs = exported.graphs
    if exported.precision == INT8:
        assert {"step_select", "step_beam", "encoder_sequence"}.isdisjoint([*graphs.decoders, *graphs.encoders])
        return
    ids, lengths = sources(5, 8)
    feed = step_feed(graphs, graphs.run("encoder", source_ids=ids, source_lengths=lengths), lengths, 3)
    feed["parents"] = numpy.tile(numpy.arange(3), (5, 1))
    logits, selected = graphs.run("step_greedy", **feed), graphs.run("step_select", **feed)
    assert numpy.array_equal(selected["next_ids"], logits["logits"].argmax(-1))
    best, beam = graphs.run("step", **feed), graphs.run("step_beam", **feed, totals=numpy.zeros((5, 3)))
    assert all(numpy.array_equal(beam[name], best[name]) for name in best)
    assert selected["next_hidden_0"].tobytes() == best["next_hidden_0"].tobytes()


def test_greedy_steps_go_on_from_states_as_they_lie(exported: Exported) -> None:
    """They know no parents; where each hypothesis is its own, other steps leave the same bits."""
    graphs, manifest = exported.graphs, exported.bundle.manifest
    roles = [role for role in GREEDY_ROLES if manifest.has(role, exported.precision)]
    assert "step_greedy" in roles
    for role in roles:
        assert "parents" not in {tensor.name for tensor in manifest.graph(role, exported.precision).inputs}
    ids, lengths = sources(5, 8)
    feed = step_feed(graphs, graphs.run("encoder", source_ids=ids, source_lengths=lengths), lengths, 3)
    feed["parents"] = numpy.tile(numpy.arange(3), (5, 1))
    greedy, full = graphs.run("step_greedy", **feed), graphs.run("step_full", **feed)
    for name in greedy.keys() - {"logits"}:
        assert numpy.array_equal(greedy[name], full[name]), name


def test_recurrent_operators_encode_as_the_loop_does(exported: Exported) -> None:
    """Padding, an empty slot and every direction included; they know no layer norm."""
    graphs = exported.graphs
    has = exported.precision != INT8 and not exported.model.config.layer_norm
    assert ("encoder_sequence" in graphs.encoders) == has
    if not has:
        return
    ids, lengths = sources(9, 24)
    lengths[2], ids[2] = 0, 0
    loop, operators = (
        graphs.run(role, source_ids=ids, source_lengths=lengths) for role in ("encoder", "encoder_sequence")
    )
    assert loop.keys() == operators.keys()
    assert (operators["values"][numpy.arange(24) >= lengths[:, None]] == 0).all()
    for name, array in loop.items():
        difference = numpy.abs(operators[name].astype(float) - array)
        assert difference.max() < (1e-5 if exported.precision == FP32 else 0.02), name
        assert (difference[2] == 0).all(), name


def test_casts_and_transpositions_fold_at_load(exported: Exported, tmp_path: Path) -> None:
    if exported.precision == FP16:
        pytest.skip("on a CPU its products are in fp32, behind casts that ONNX Runtime adds")
    for graph in exported.served():
        optimized = loaded(exported.bundle.file(graph.file), tmp_path / graph.file)
        nodes = onnx.load(optimized, load_external_data=False).graph.node
        weights = [node for node in nodes if node.op_type in ("Cast", "Transpose") and ".weight" in node.input[0]]
        assert not weights
        operators = {node.op_type for node in nodes}
        assert {"Loop", "If"} & operators == ({"Loop"} if graph.role == "step_ahead" else set())
        assert bool({"RNN", "GRU", "LSTM"} & operators) == (graph.role == "encoder_sequence")
        assert ("Scan" in operators) == (graph.role == "encoder")
        assert "Transpose" not in operators or graph.role.startswith("encoder")
        domains = {node.domain for node in onnx.load(exported.bundle.file(graph.file)).graph.node}
        assert domains == ({"", DOMAIN} if graph.precision == INT8 and graph.role in OF_MANY_ROWS else {""})


def test_integer_products_are_those_of_the_operators(exported: Exported) -> None:
    """An int8 graph holds 7-bit matrices, each behind unsigned numbers of a fixed step; a float graph holds none."""
    for graph in exported.served():
        model = onnx.load(exported.bundle.file(graph.file))
        constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        nodes = {node.output[0]: node for node in every_node(model.graph)}
        fuses = graph.precision == INT8 and graph.role in OF_MANY_ROWS
        kinds = {node.op_type for node in nodes.values()} & {PRODUCT, OPERATOR}
        assert kinds == ({OPERATOR} if fuses else {PRODUCT} if graph.precision == INT8 else set())
        products = [node for node in nodes.values() if node.op_type in kinds]
        assert not [node for node in nodes.values() if node.op_type == "DynamicQuantizeLinear"]
        for node in products:
            rounded, weight, *rest = node.input
            zero_point = rest[2 if node.op_type == OPERATOR else 0]
            assert constants[weight].dtype == numpy.int8
            assert numpy.abs(constants[weight]).max() == 64
            assert constants[zero_point] == 128
            assert nodes[rounded].op_type == "QuantizeLinear"
            assert constants[nodes[rounded].input[1]].shape == ()
            assert nodes[rounded].input[2] == zero_point


@pytest.mark.parametrize("name", MODELS)
def test_bundle_gives_the_model_back(exports: Exports, name: str) -> None:
    exported = exports(name)[FP32]
    _, restored = restore(exported.bundle.path)
    config = exported.model.config
    dropout = {name: getattr(config, name) for name in type(config).model_fields if name.endswith("dropout")}
    assert restored.config.model_copy(update=dropout) == config
    expected, found = (dict(model.named_parameters()) for model in (exported.model, restored))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], parameter) for name, parameter in expected.items())
