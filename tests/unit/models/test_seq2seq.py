"""The model as a whole, in every architecture that a recipe can ask for."""

from collections.abc import Iterable
from itertools import product
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from models.attention import Memory
from models.cells import CELLS, Cell, State
from models.config import ModelConfig
from models.data import pad
from models.encoder import Encoder
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID, PAD_ID
from tests.unit.models.factories import VOCABULARY, build, model_config, random_rows

pytestmark = pytest.mark.torch

LENGTHS = [4, 1, 6]
CHOICES = list(product(CELLS, [True, False], [1, 3], [False, True], [False, True], [True, False]))
NAMES = ("cell", "bidirectional", "layers", "residual", "conditional", "tied")


def _config(*choice: Any) -> ModelConfig:
    cell, bidirectional, layers, residual, conditional, tied = choice
    return model_config(
        cell=cell,
        bidirectional=bidirectional,
        encoder_layers=layers,
        decoder_layers=layers,
        residual=residual,
        conditional=conditional,
        tie_embeddings=tied,
    )


def _id(choice: tuple[Any, ...]) -> str:
    flags = [
        f"{value}{name}" if name == "layers" else name
        for name, value in zip(NAMES[1:], choice[1:], strict=True)
        if value
    ]
    return "-".join([choice[0], *flags])


every_architecture = pytest.mark.parametrize("choice", CHOICES, ids=_id)


def _sources() -> tuple[Tensor, Tensor]:
    return pad(random_rows(LENGTHS))


def _targets(length: int = 5) -> Tensor:
    words, _ = pad(random_rows([length - 1] * len(LENGTHS), seed=1))
    return torch.cat([torch.full((len(LENGTHS), 1), BOS_ID), words], dim=1)


def _teacher_forced(model: Seq2Seq, source_ids: Tensor, lengths: Tensor, previous: Tensor) -> Tensor:
    return model.output(model(source_ids, lengths, previous))  # type: ignore[no-any-return]


@every_architecture
@torch.no_grad()
def test_shapes(choice: tuple[Any, ...]) -> None:
    """Memory, states, logits and weights have the documented shapes, and the states their names."""
    config = _config(*choice)
    model = build(config)
    source_ids, lengths = _sources()
    memory, state = model.encode(source_ids, lengths)
    batch, width, hidden = len(LENGTHS), max(LENGTHS), config.decoder_hidden_size
    memory_size = config.encoder_hidden_size * (2 if config.bidirectional else 1)
    assert memory.tensors["keys"].shape == (batch, width, config.attention_size)
    assert memory.values.shape == (batch, width, memory_size)
    names = model.decoder.state_names
    assert len(set(names)) == len(names) == config.decoder_layers * (2 if config.cell == "lstm" else 1)
    assert [tuple(tensor.shape) for tensor in state] == [(batch, 1, hidden)] * len(names)
    logits, following, weights = model.step(torch.full((batch, 1), BOS_ID), state, memory)
    assert logits.shape == (batch, 1, VOCABULARY)
    assert weights.shape == (batch, 1, width)
    assert [tensor.shape for tensor in following] == [tensor.shape for tensor in state]
    assert model(source_ids, lengths, _targets()).shape == (batch, 5, config.embedding_size)


@every_architecture
@torch.no_grad()
def test_teacher_forcing_is_the_step_in_a_loop(choice: tuple[Any, ...]) -> None:
    """The logits of `forward` are those of `step` called word by word."""
    model = build(_config(*choice))
    source_ids, lengths = _sources()
    previous = _targets()
    memory, state = model.encode(source_ids, lengths)
    looped = []
    for word in previous.split(1, dim=1):
        logits, state, _ = model.step(word, state, memory)
        looped.append(logits)
    torch.testing.assert_close(
        _teacher_forced(model, source_ids, lengths, previous), torch.cat(looped, 1), rtol=1e-5, atol=2e-6
    )


@every_architecture
@torch.no_grad()
def test_a_row_does_not_depend_on_its_batch_mates(choice: tuple[Any, ...]) -> None:
    """A sentence has the same logits alone and beside longer and shorter ones."""
    model = build(_config(*choice))
    source_ids, lengths = _sources()
    previous = _targets()
    together = _teacher_forced(model, source_ids, lengths, previous)
    for row, length in enumerate(LENGTHS):
        one = slice(row, row + 1)
        alone = _teacher_forced(model, source_ids[one, :length], lengths[one], previous[one])
        torch.testing.assert_close(together[one], alone, rtol=1e-5, atol=2e-6)


@every_architecture
@torch.no_grad()
def test_hypotheses_of_a_sentence_are_independent(choice: tuple[Any, ...]) -> None:
    """One step with W = 3 over one shared memory equals three steps with W = 1."""
    model = build(_config(*choice))
    memory, state = model.encode(*_sources())
    wide = tuple(tensor + torch.randn(len(LENGTHS), 3, tensor.shape[-1]) for tensor in state)
    words = torch.tensor([[4, 5, BOS_ID], [6, 6, 7], [8, 9, 10]])
    logits, following, weights = model.step(words, wide, memory)
    for w in range(3):
        one = slice(w, w + 1)
        narrow: tuple[Tensor, State, Tensor] = model.step(words[:, one], tuple(t[:, one] for t in wide), memory)
        expected = (logits[:, one], tuple(tensor[:, one] for tensor in following), weights[:, one])
        torch.testing.assert_close(narrow, expected, rtol=1e-5, atol=2e-6)


@every_architecture
def test_every_parameter_learns(choice: tuple[Any, ...]) -> None:
    """The loss has a finite gradient in every parameter: nothing is built that is not used."""
    model = build(_config(*choice))
    targets = torch.cat([_targets(), torch.full((len(LENGTHS), 1), EOS_ID)], dim=1)
    model.loss(*_sources(), targets, 0.1).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@every_architecture
@torch.no_grad()
def test_encoder_equals_its_equations(choice: tuple[Any, ...]) -> None:
    """Annotations are the stacked layers' states, read word by word in each direction, with residuals where asked."""
    config = _config(*choice)
    model = build(config)
    source_ids, lengths = _sources()
    values, ends = model.encoder(model.embed(model.source_embedding, source_ids), lengths)
    for row, length in enumerate(LENGTHS):
        words = list(model.source_embedding.weight[source_ids[row, :length]] * config.embedding_size**0.5)
        last: list[Tensor] = []
        for layer in model.encoder.layers:
            columns: list[list[Tensor]] = []
            last = []
            for cell, backward in zip(cast(Iterable[Cell], layer), (False, True), strict=False):
                state = cell.initial_state(words[0][None])
                states = []
                for word in words[::-1] if backward else words:
                    state = cell.step(cell.project(word[None]), state)
                    states.append(state[0][0])
                last.append(states[-1])
                columns.append(states[::-1] if backward else states)
            outputs = [torch.cat(column) for column in zip(*columns, strict=True)]
            adds = config.residual and len(words[0]) == len(outputs[0])
            words = [word + output for word, output in zip(words, outputs, strict=True)] if adds else outputs
        torch.testing.assert_close(values[row, :length], torch.stack(words), rtol=1e-5, atol=2e-6)
        final = ends[-len(model.decoder.cell.state_names)]
        torch.testing.assert_close(final[row], torch.cat(last), rtol=1e-5, atol=2e-6)


@every_architecture
@torch.no_grad()
def test_step_equals_its_equations(choice: tuple[Any, ...]) -> None:
    """One step is attention, the recurrence(s), the stacked layers and the readout, as the docstrings write them."""
    config = _config(*choice)
    model = build(config)
    decoder = model.decoder
    memory, state = model.encode(*_sources())
    state = tuple(tensor + torch.randn_like(tensor) for tensor in state)
    words = torch.tensor([[4], [5], [6]])
    per_layer = 2 if config.cell == "lstm" else 1

    embedded = model.target_embedding.weight[words] * config.embedding_size**0.5
    bottom = state[:per_layer]
    if config.attends == "between":
        bottom = decoder.cell.step(decoder.cell.project(embedded), bottom)
        context, weights = decoder.attention(bottom[0], memory)
        bottom = decoder.context_cell.step(decoder.context_cell.project(context), bottom)
    else:
        context, weights = decoder.attention(bottom[0], memory)
        bottom = decoder.cell.step(decoder.cell.project(embedded) + decoder.context_input(context), bottom)
    following, output = [*bottom], bottom[0]
    for layer, cell in enumerate(cast(Iterable[Cell], decoder.upper), start=1):
        after = cell.step(cell.project(output), state[layer * per_layer : (layer + 1) * per_layer])
        output = output + after[0] if config.residual else after[0]
        following.extend(after)
    readout = torch.tanh(
        decoder.readout_state(output) + decoder.readout_input(embedded) + decoder.readout_context(context)
    )
    logits = readout @ model.output.weight.t() + model.output.bias
    torch.testing.assert_close(
        model.step(words, state, memory), (logits, tuple(following), weights), rtol=1e-5, atol=2e-6
    )


@torch.no_grad()
def test_an_empty_slot_gives_finite_values() -> None:
    """A row of length 0 is finite from the encoder to the logits, and its mates are as without it."""
    model = build(model_config(conditional=True))
    source_ids, lengths = _sources()
    beside, _ = pad([[PAD_ID] * 2, *source_ids.tolist()])
    previous = _targets()
    logits = _teacher_forced(
        model, beside, torch.cat([torch.tensor([0]), lengths]), torch.cat([previous[:1], previous])
    )
    assert logits.isfinite().all()
    torch.testing.assert_close(logits[1:], _teacher_forced(model, source_ids, lengths, previous), rtol=1e-5, atol=2e-6)


def test_tied_embeddings_are_one_matrix() -> None:
    """When tied, source, target and output share one parameter, which the model counts once."""
    model = build(model_config(tie_embeddings=True))
    assert model.source_embedding.weight is model.target_embedding.weight is model.output.weight
    names = [name for name, parameter in model.named_parameters() if len(parameter) == VOCABULARY]
    assert names == ["source_embedding.weight", "output.bias"]


def test_untied_source_has_its_own_matrix() -> None:
    """When not tied, the source has its own embeddings; target and output still share theirs."""
    model = build(model_config(tie_embeddings=False))
    assert model.source_embedding.weight is not model.target_embedding.weight
    assert model.target_embedding.weight is model.output.weight


def test_tied_matrix_stays_shared_through_an_update_and_a_copy_of_the_state() -> None:
    """An optimizer step and load_state_dict leave the shared matrix shared."""
    model = build(model_config(tie_embeddings=True))
    before = model.output.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.loss(*_sources(), _targets(), 0.0).backward()
    optimizer.step()
    assert not torch.equal(before, model.output.weight)
    assert torch.equal(model.source_embedding.weight, model.output.weight)
    model.load_state_dict(build(model_config(tie_embeddings=True), seed=5).state_dict())
    assert model.source_embedding.weight is model.output.weight


@torch.no_grad()
def test_conditional_attention_has_read_the_previous_word() -> None:
    """A conditional decoder's weights depend on the previous word in the same step; Bahdanau's do not."""
    for conditional in (True, False):
        model = build(model_config(conditional=conditional))
        memory, state = model.encode(*_sources())
        weights = [model.step(torch.full((len(LENGTHS), 1), word), state, memory)[2] for word in (4, 5)]
        assert torch.equal(*weights) is not conditional


@torch.no_grad()
def test_residual_layers_add_their_input() -> None:
    """With residual connections an upper decoder layer that outputs nothing leaves the lower one's output."""
    model = build(model_config(decoder_layers=2, residual=True))
    _, state = model.encode(*_sources())
    state = (state[0], torch.zeros_like(state[1]))
    assert torch.equal(model.decoder.output(state), state[0])
    plain = build(model_config(decoder_layers=2, residual=False))
    assert torch.equal(plain.decoder.output(state), state[1])


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("layers", [1, 2])
@torch.no_grad()
def test_annotations_are_zero_beyond_the_length(residual: bool, layers: int) -> None:
    """Whatever the padding's embedding is, annotations beyond the length are exactly zero, with residuals too."""
    torch.manual_seed(0)
    encoder = Encoder(model_config(embedding_size=10, encoder_layers=layers, residual=residual))
    outputs, (*_, final) = encoder(torch.randn(3, 6, 10), torch.tensor(LENGTHS))
    assert final.shape == (3, 10)
    for row, length in enumerate(LENGTHS):
        assert outputs[row, :length].all()
        assert not outputs[row, length:].any()


@torch.no_grad()
def test_bidirectional_final_state_has_read_the_whole_sentence_both_ways() -> None:
    """The last states are those after the last word forwards and after the first word backwards."""
    torch.manual_seed(0)
    encoder = Encoder(model_config())
    outputs, (final,) = encoder(torch.randn(3, 6, 6), torch.tensor(LENGTHS))
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(final[row], torch.cat([outputs[row, length - 1, :5], outputs[row, 0, 5:]]))


def test_loss_is_the_sum_over_real_words() -> None:
    """The loss of a padded batch is the sum of its sentences' losses, each without padding."""
    model = build()
    source_ids, lengths = _sources()
    rows = [[BOS_ID, 4, 5, EOS_ID], [BOS_ID, EOS_ID], [BOS_ID, 6, 7, 8, 9, EOS_ID]]
    together = model.loss(source_ids, lengths, pad(rows)[0], 0.1)
    alone = [
        model.loss(source_ids[i : i + 1, :length], lengths[i : i + 1], torch.tensor([rows[i]]), 0.1)
        for i, length in enumerate(LENGTHS)
    ]
    torch.testing.assert_close(together, torch.stack(alone).sum())


def test_consistency_holds_two_readings_together() -> None:
    """Without dropout two readings cost what one does; with it, their divergence times the weight comes on top."""
    sentences, targets = _sources(), _targets()
    model = build()
    once, twice = (model.loss(*sentences, targets, 0.1, consistency) for consistency in (0.0, 5.0))
    torch.testing.assert_close(once, twice)
    model = build(model_config(readout_dropout=0.5)).train()
    losses = []
    for consistency in (1.0, 2.0, 3.0):
        torch.manual_seed(0)
        losses.append(model.loss(*sentences, targets, 0.1, consistency))
    apart = losses[1] - losses[0]
    assert apart > 0
    torch.testing.assert_close(losses[2] - losses[1], apart, rtol=1e-3, atol=1e-4)


def test_dropout_acts_in_training_only() -> None:
    """With dropout, training is random and inference is not."""
    model = build(model_config(embedding_dropout=0.3, memory_dropout=0.3, readout_dropout=0.3))
    batch = (*_sources(), _targets())
    assert torch.equal(model(*batch), model(*batch))
    model.train()
    assert not torch.equal(model(*batch), model(*batch))


def test_words_are_dropped_whole_and_in_training_alone() -> None:
    """With word dropout an embedding is zero in all units or in none, on average as large as it was."""
    model = build(model_config(word_dropout=0.25))
    ids = torch.full((200, 10), 5)
    whole = model.embed(model.source_embedding, ids)
    model.train()
    seen = model.embed(model.source_embedding, ids)
    dropped = (seen == 0).all(-1)
    assert torch.equal(dropped, (seen == 0).any(-1))
    assert 0.2 < dropped.float().mean() < 0.3
    torch.testing.assert_close(seen[~dropped], whole[~dropped] / 0.75)


@torch.no_grad()
def test_memory_is_computed_once_and_not_changed_by_steps() -> None:
    """A step leaves memory and incoming state as they were, so that hypotheses can share them."""
    model = build()
    memory, state = model.encode(*_sources())
    kept = {name: tensor.clone() for name, tensor in memory.tensors.items()}
    before = Memory(kept, memory.lengths.clone()), tuple(tensor.clone() for tensor in state)
    model.step(torch.full((len(LENGTHS), 1), BOS_ID), state, memory)
    torch.testing.assert_close((memory, state), before, rtol=0, atol=0)
