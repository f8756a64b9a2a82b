"""What int8 means: which products it covers, what they read, and that they compute exactly what they say."""

from collections.abc import Callable
from typing import Any

import numpy
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.quantized import QuantizedLinear, Rounding, quantize
from export.ranges import input_ranges
from models import fused
from models.config import ModelConfig
from models.seq2seq import Seq2Seq
from tests.unit.export.factories import SIZES

pytestmark = pytest.mark.torch

MODELS: dict[str, dict[str, Any]] = {
    "rnn": {"cell": "rnn", "encoder_layers": 2, "decoder_layers": 3, "attends": "between"},
    "gru": {"cell": "gru", "tie_embeddings": False},
    "lstm": {"cell": "lstm", "bidirectional": False, "residual": True, "attends": "between"},
    "sums": {"cell": "lstm", "encoder_layers": 2, "decoder_layers": 3, "residual": True},
    "luong": {"context": "general", "input_feeding": True, "layer_norm": True, "decoder_layers": 2},
    "luong sums": {"context": "additive", "attends": "after", "decoder_layers": 2, "residual": True},
    "heads": {"context": "multi-head", "heads": 3, "attends": "between", "bridge": "mean"},
    "cho": {"context": "fixed-every-step"},
    "sutskever": {
        "cell": "lstm",
        "context": "fixed-initial",
        "bridge": "copy",
        "bidirectional": False,
        "decoder_hidden_size": 18,
    },
    "sum of embeddings": {"cell": "gru", "bidirectional": False, "residual": True, "embedding_size": 18},
}
ENERGY = "decoder.attention.energy"


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    """Build a model with weights so large that its states fill their range."""
    built = Seq2Seq(ModelConfig.model_validate({**SIZES, **MODELS[request.param]}), 46, 0).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.mul_(3).add_(torch.randn_like(parameter))
    return built.requires_grad_(False)


def run(model: Seq2Seq, batch: int = 9, steps: int = 6) -> Tensor:
    """Encode random sentences and take a few steps; gives the last logits (B, 1, V)."""
    ids = torch.randint(1, 46, (batch, 7))
    memory, state = model.encode(ids, torch.randint(1, 8, (batch,)))
    for _ in range(steps):
        logits, state, _ = model.step(torch.randint(1, 46, (batch, 1)), state, memory)
    return logits


def of_embeddings(model: Seq2Seq) -> set[str]:
    """Name the products of embeddings, which are in tables."""
    directions = len(list(model.encoder.layers[0].children()))
    return {"decoder.cell.input", "decoder.readout_input", *(f"encoder.layers.0.{d}.input" for d in range(directions))}


def test_every_product_but_those_of_embeddings_has_its_range(model: Seq2Seq) -> None:
    products = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert input_ranges(model).keys() == products - {ENERGY} - of_embeddings(model)


def test_inputs_stay_in_their_ranges(model: Seq2Seq, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds hold by construction, whatever the weights; only sums have none."""
    monkeypatch.setattr(fused, "fits", lambda cell, drop: False)  # kernels show nobody what they read
    ranges, seen = input_ranges(model), dict[str, float]()

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
        return lambda module, inputs: seen.update({name: max(seen.get(name, 0), float(inputs[0].abs().max()))})

    for name in ranges:
        model.get_submodule(name).register_forward_pre_hook(watch(name))
    run(model)
    assert seen.keys() == ranges.keys()
    assert all(largest is None or seen[name] <= largest * (1 + 1e-6) for name, largest in ranges.items())
    assert all(largest is not None or seen[name] > 1 for name, largest in ranges.items())


def test_products_of_unbounded_inputs_stay_in_float(
    model: Seq2Seq, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    quantized = quantize(model)
    in_float = {name for name, module in quantized.named_modules() if isinstance(module, nn.Linear)}
    in_float -= {ENERGY} | of_embeddings(model)
    attention = {"decoder.attention.key", "decoder.context_input", "decoder.readout_context"}
    assert in_float == {
        "sums": attention | {"decoder.upper.1.input", "decoder.readout_state"}, "sum of embeddings": attention,
        "luong sums": {"decoder.attention.query", "decoder.readout_state"},
    }.get(request.node.callspec.params["model"], set())  # fmt: skip
    for name in in_float:
        assert f"{name} stays in float: nothing bounds its inputs" in caplog.text
    assert isinstance(quantized.output, QuantizedLinear)
    assert isinstance(quantized.get_submodule("encoder.layers.0.0.recurrent"), QuantizedLinear)
    assert not [m for m in model.modules() if isinstance(m, QuantizedLinear)]


def test_model_is_nearly_the_same(model: Seq2Seq) -> None:
    for parameter in model.parameters():
        parameter.mul_(0.2)
    quantized = quantize(model)
    torch.manual_seed(1)
    expected = run(model, steps=1)
    torch.manual_seed(1)
    assert (run(quantized, steps=1) - expected).std() < 0.1 * expected.std()


def test_product_is_near_and_exact_in_any_company() -> None:
    linear = nn.Linear(300, 41)
    with torch.no_grad():
        linear.weight[7] = 0  # like the padding's
    quantized = QuantizedLinear(linear, 1.0)
    inputs = torch.tanh(torch.randn(64, 300))
    found, expected = quantized(inputs), linear(inputs)
    assert (found - expected).norm() < 0.01 * expected.norm()
    assert torch.equal(found[:, 7], linear.bias[7].expand(64))
    assert all(torch.equal(quantized(inputs[row]), found[row]) for row in range(64))
    assert quantized.weight.abs().amax(0).tolist() == [64] * 7 + [0] + [64] * 33
    steps = quantized.scale / quantized.rounding.step
    assert ((quantized.weight * steps - linear.weight.t()).abs() <= 0.501 * steps).all()


def operator(rounding: Rounding, weight: NDArray[numpy.int8], inputs: NDArray[Any]) -> list[NDArray[Any]]:
    """Run QuantizeLinear and MatMulInteger as ONNX Runtime does; gives the outputs of both."""
    graph = onnx.parser.parse_graph(
        f"""g (float[B, {len(weight)}] x, float step, uint8 zero, int8[{len(weight)}, N] w) => (uint8[B, K] q, int32 y)
        {{ q = QuantizeLinear(x, step, zero)  y = MatMulInteger(q, w, zero) }}"""
    )
    constants = {"step": rounding.step.numpy(), "zero": numpy.uint8(128), "w": weight}
    graph.initializer.extend(onnx.numpy_helper.from_array(numpy.asarray(a), name) for name, a in constants.items())
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    del graph.input[1:]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs: list[NDArray[Any]] = session.run(["q", "y"], {"x": inputs})
    return outputs


@pytest.mark.parametrize("largest", [1.0, 3.7])
def test_rounding_and_sums_are_those_of_onnx_runtime(largest: float) -> None:
    """Exactly so: halves, numbers out of range, and the largest sums that 16 bits are asked to hold."""
    rounding, random = Rounding(largest), numpy.random.default_rng(0)
    step = float(rounding.step)
    inputs = numpy.concatenate([
        random.normal(size=(40, 512)) * largest,
        (random.integers(-130, 130, (9, 512)) + 0.5) * step,
        random.choice([-2 * largest, largest], (9, 512)),
    ]).astype(numpy.float32)  # fmt: skip
    weight = numpy.where(random.random((512, 33)) < 0.5, random.choice([-64, 64], (512, 33)), 64).astype(numpy.int8)
    rounded, sums = operator(rounding, weight, inputs)
    assert {int(rounded.min()), int(rounded.max())} == {0, 255}
    assert numpy.array_equal(rounding(torch.from_numpy(inputs)).numpy(), rounded)
    assert numpy.array_equal((rounded.astype(int) - 128) @ weight.astype(int), sums)
    linear = QuantizedLinear(nn.Linear(512, 33), largest)
    linear.weight.copy_(torch.from_numpy(weight))
    found = linear(torch.from_numpy(inputs)).detach().numpy()
    assert numpy.array_equal(found, sums.astype(numpy.float32) * linear.scale.numpy() + linear.bias.detach().numpy())
