"""Every cell with every context: gradients, one recurrence, and options that must fit together."""

from itertools import product
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from models.attention import ATTENTIONS, Attention, Memory
from models.cells import CELLS
from models.config import ModelConfig
from models.data import pad
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID
from tests.unit.models.factories import VOCABULARY, build, model_config, random_rows

pytestmark = pytest.mark.torch

LENGTHS = [4, 1, 6]
CONTEXTS: dict[str, dict[str, Any]] = {
    "fixed-initial": {},
    "fixed-every-step": {},
    "additive": {},
    "dot": {"decoder_hidden_size": 10},
    "general": {},
    "concat": {},
    "multi-head": {"heads": 2},
}
# Choices that change what is computed, each with a context that they go with.
OPTIONS: dict[str, dict[str, Any]] = {
    "sutskever": {
        "context": "fixed-initial", "bidirectional": False, "reverse_source": True, "bridge": "copy",
        "encoder_layers": 2, "decoder_layers": 2, "decoder_hidden_size": 5,
    },
    "luong": {"context": "general", "input_feeding": True, "decoder_layers": 2},
    "luong-residual": {"context": "additive", "attends": "after", "decoder_layers": 3, "residual": True},
    "opennmt": {
        "context": "general", "input_feeding": True, "bridge": "copy", "decoder_hidden_size": 10, "readout_size": 10,
        "readout_word": False, "tie_embeddings": False, "tie_output": False,
    },
    "marian": {"attends": "between", "bridge": "mean"},
    "normalized": {"layer_norm": True, "encoder_layers": 2, "decoder_layers": 2},
}  # fmt: skip
PAIRS = [{"cell": cell, "context": context, **more} for cell, (context, more) in product(CELLS, CONTEXTS.items())]
MEMBERS = PAIRS + [{"cell": cell, **options} for cell, options in product(CELLS, OPTIONS.values())]
NAMES = ["-".join(pair) for pair in (*product(CELLS, CONTEXTS), *product(CELLS, OPTIONS))]

every_member = pytest.mark.parametrize("member", MEMBERS, ids=NAMES)


def _batch() -> tuple[Tensor, Tensor, Tensor]:
    words, _ = pad(random_rows([4] * len(LENGTHS), seed=1))
    return *pad(random_rows(LENGTHS)), torch.cat([torch.full((len(LENGTHS), 1), BOS_ID), words], dim=1)


def _looped(model: Seq2Seq, source_ids: Tensor, lengths: Tensor, previous: Tensor) -> Tensor:
    """Step word by word; gives logits (B, T, V)."""
    memory, state = model.encode(source_ids, lengths)
    logits = []
    for word in previous.split(1, dim=1):
        one, state, _ = model.step(word, state, memory)
        logits.append(one)
    return torch.cat(logits, 1)


@every_member
@torch.no_grad()
def test_teacher_forcing_is_the_step_in_a_loop(member: dict[str, Any]) -> None:
    """Whether PyTorch's kernels run the words or our loop does, the logits are those of `step`."""
    model = build(model_config(**member))
    source_ids, lengths, previous = _batch()
    found = model.output(model(source_ids, lengths, previous))
    torch.testing.assert_close(found, _looped(model, source_ids, lengths, previous), rtol=1e-5, atol=3e-6)


@every_member
def test_gradients_agree_with_finite_differences(member: dict[str, Any]) -> None:
    """In float64, along a random direction of all weights, through encoder, loop of steps and output."""
    model = build(model_config(**member)).double()
    source_ids, lengths, previous = _batch()
    scale = torch.randn(len(LENGTHS), 5, VOCABULARY, dtype=torch.float64)

    def loss() -> Tensor:
        return (torch.log_softmax(_looped(model, source_ids, lengths, previous), -1) * scale).sum()

    loss().backward()
    parameters = list(model.parameters())
    directions = [torch.randn_like(parameter) for parameter in parameters]
    slope = sum(float((p.grad * d).sum()) for p, d in zip(parameters, directions, strict=True) if p.grad is not None)
    step = 1e-6
    with torch.no_grad():
        values = []
        for sign in (1, -2, 1):
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter.add_(sign * step * direction)
            values.append(float(loss()))
    assert slope == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5, abs=1e-5)


@every_member
def test_every_parameter_learns(member: dict[str, Any]) -> None:
    """Nothing is built that is not used."""
    model = build(model_config(**member))
    source_ids, lengths, previous = _batch()
    model.loss(source_ids, lengths, previous, 0.1).backward()
    # Before a normalization a bias that all units share would have no effect; ours differ, so even they learn.
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@every_member
@torch.no_grad()
def test_a_row_does_not_depend_on_its_batch_mates(member: dict[str, Any]) -> None:
    """A sentence has the same logits alone and beside longer and shorter ones."""
    model = build(model_config(**member))
    source_ids, lengths, previous = _batch()
    together = model.output(model(source_ids, lengths, previous))
    for row, length in enumerate(LENGTHS):
        one = slice(row, row + 1)
        alone = model.output(model(source_ids[one, :length], lengths[one], previous[one]))
        torch.testing.assert_close(together[one], alone, rtol=1e-5, atol=3e-6)


@every_member
@torch.no_grad()
def test_only_attention_aligns_and_keeps_positions(member: dict[str, Any]) -> None:
    """A fixed context gives no weights, and its memory does not grow with the source."""
    model = build(model_config(**member))
    source_ids, lengths, previous = _batch()
    memory, state = model.encode(source_ids, lengths)
    _, following, weights = model.step(previous[:, :1], state, memory)
    axes = {tensor.ndim for tensor in memory.tensors.values()}
    if model.config.has_attention:
        assert weights is not None
        torch.testing.assert_close(weights.sum(-1), torch.ones(len(LENGTHS), 1))
        assert axes == {3}
    else:
        assert weights is None
        assert axes <= {2}
    assert {name: tensor.shape[-1] for name, tensor in memory.tensors.items()} == model.decoder.memory_sizes
    assert [tensor.shape[-1] for tensor in following] == list(model.decoder.state_sizes.values())


def _memory(attention: Attention, size: int) -> tuple[Tensor, Memory]:
    return torch.randn(2, 1, 6), attention.project(torch.randn(2, 3, size), torch.tensor([3, 2]))


@torch.no_grad()
def test_luongs_energies_are_those_of_the_paper() -> None:
    """Luong et al. 2015, eq. 8, written for one pair of s and h_j at a time."""
    general = ATTENTIONS["general"](6, 5, 4)
    query, memory = _memory(general, 5)
    assert float(general.energies(query, memory)[1, 0, 1]) == pytest.approx(
        float(query[1, 0] @ (general.key.weight @ memory.values[1, 1])), rel=1e-4  # type: ignore[operator]
    )  # fmt: skip
    dot = ATTENTIONS["dot"](6, 6, 4)
    query, memory = _memory(dot, 6)
    assert float(dot.energies(query, memory)[0, 0, 2]) == pytest.approx(float(query[0, 0] @ memory.values[0, 2]))
    assert memory.tensors.keys() == {"values"}
    concat: Any = ATTENTIONS["concat"](6, 5, 4)
    query, memory = _memory(concat, 5)
    whole = torch.cat([concat.query.weight, concat.key.weight], dim=1)
    joined = torch.tanh(whole @ torch.cat([query[1, 0], memory.values[1, 0]]))
    assert float(concat.energies(query, memory)[1, 0, 0]) == pytest.approx(float(concat.energy.weight[0] @ joined))


@torch.no_grad()
def test_heads_attend_each_by_its_own_units() -> None:
    """Each head is additive attention with its part of the units; contexts stand side by side, weights are averaged."""
    several: Any = ATTENTIONS["multi-head"](6, 5, 4, 2)
    query, memory = _memory(several, 5)
    contexts, weights = several(query, memory)
    found = []
    for head in range(2):
        units = slice(2 * head, 2 * head + 2)
        one: Any = ATTENTIONS["additive"](6, 5, 2)
        one.query.weight.copy_(several.query.weight[units])
        one.key.weight.copy_(several.key.weight[units])
        one.key.bias.copy_(several.key.bias[units])
        one.energy.weight.copy_(several.energy[None, units])
        found.append(one(query, one.project(memory.values, memory.lengths)))
    torch.testing.assert_close(contexts, torch.cat([context for context, _ in found], -1))
    torch.testing.assert_close(weights, (found[0][1] + found[1][1]) / 2)


@torch.no_grad()
def test_a_reversed_source_is_read_from_its_end() -> None:
    """A reversed encoder starts the decoder as a forward one does that is given the words from behind."""
    choices = {"context": "fixed-initial", "bidirectional": False}
    model, other = (build(model_config(**choices, reverse_source=reverse)) for reverse in (True, False))
    other.load_state_dict(model.state_dict())
    rows = random_rows(LENGTHS)
    _, state = model.encode(*pad(rows))
    _, expected = other.encode(*pad([row[::-1] for row in rows]))
    torch.testing.assert_close(state, expected)


def test_variational_dropout_hides_the_same_units_at_every_step() -> None:
    """Of a recurrent layer that only hands its state on, some units are lost at once and the others never."""
    model = build(model_config(cell="rnn", variational_dropout=0.5)).train()
    cell = model.decoder.cell
    mask = cell.mask(torch.zeros(50, 1), 0.5)
    assert mask is not None
    assert set(mask.unique().tolist()) == {0.0, 2.0}
    source_ids, lengths, previous = _batch()
    assert not torch.equal(model(source_ids, lengths, previous), model(source_ids, lengths, previous))
    model.eval()
    assert torch.equal(model(source_ids, lengths, previous), model(source_ids, lengths, previous))


@pytest.mark.parametrize(
    ("choices", "why"),
    [
        ({"reverse_source": True}, "reverse_source needs bidirectional = false"),
        ({"context": "fixed-initial", "attends": "between"}, "attends = 'between' needs attention"),
        ({"input_feeding": True}, "input_feeding needs attends = 'after'"),
        ({"heads": 2}, "heads = 2 needs context = 'multi-head'"),
        ({"context": "multi-head", "heads": 3}, "attention_size 4 cannot be parted among 3 heads"),
        ({"context": "dot"}, "context = 'dot' needs annotations as wide as the decoder's states"),
        ({"bridge": "copy"}, "bridge = 'copy' needs annotations as wide"),
        ({"bridge": "copy", "decoder_hidden_size": 10, "decoder_layers": 2}, "equal numbers of layers, not 1 and 2"),
        ({"tie_output": False}, "tie_embeddings needs tie_output"),
        ({"readout_size": 9}, "tie_output needs readout_size to be embedding_size, 6"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_together_are_named(choices: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        model_config(**choices)


def test_earlier_recipes_mean_what_they_meant() -> None:
    """`attention` and `conditional` are read as `context` and `attends`; Luong's energies come with his decoder."""
    earlier = ModelConfig.model_validate({"attention": "additive", "conditional": True})
    assert earlier == ModelConfig(context="additive", attends="between")
    assert ModelConfig.model_validate({"conditional": False}) == ModelConfig()
    assert ModelConfig(context="general").attends == "after"
    assert ModelConfig(context="general", attends="before").attends == "before"
