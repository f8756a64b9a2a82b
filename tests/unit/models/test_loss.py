"""The fused loss against PyTorch's cross-entropy."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div

from models.loss import CHUNK, smoothed_cross_entropy

pytestmark = pytest.mark.torch


def _inputs(rows: int, size: int, vocabulary: int, seed: int = 0, passes: int = 1) -> tuple[list[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((rows, size) if passes == 1 else (passes, rows, size), (vocabulary, size), (vocabulary,))
    tensors = [torch.randn(shape, generator=generator) for shape in shapes]
    targets = torch.randint(0, vocabulary, (rows,), generator=generator)
    return [tensor.requires_grad_() for tensor in tensors], targets


def _reference(tensors: list[Tensor], targets: Tensor, smoothing: float, consistency: float = 0.0) -> Tensor:
    """Take the loss of one pass, or two, from PyTorch's own functions."""
    inputs, weight, bias = tensors
    passes = [one @ weight.t() + bias for one in (inputs if inputs.dim() == 3 else inputs[None])]
    losses = [cross_entropy(one, targets, reduction="sum", label_smoothing=smoothing) for one in passes]
    pairs = zip(passes, reversed(passes), strict=True)
    apart = [kl_div(a.log_softmax(-1), b.log_softmax(-1), reduction="sum", log_target=True) for a, b in pairs]
    return torch.stack(losses).mean() + consistency / 4 * torch.stack(apart).sum()


def _agree(
    tensors: list[Tensor], targets: Tensor, smoothing: float, scale: float = 1.0, consistency: float = 0.0
) -> None:
    copies = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    inputs, weight, bias = tensors
    ours = smoothed_cross_entropy(inputs, weight, bias, targets, smoothing, consistency)
    theirs = _reference(copies, targets, smoothing, consistency)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    (ours * scale).backward()
    (theirs * scale).backward()
    for mine, their in zip(tensors, copies, strict=True):
        torch.testing.assert_close(mine.grad, their.grad, rtol=1e-3, atol=1e-4)


@settings(max_examples=120, derandomize=True)
@given(
    passes=st.sampled_from([1, 2]),
    rows=st.integers(1, 40),
    size=st.integers(1, 16),
    vocabulary=st.integers(2, 50),
    smoothing=st.floats(0, 0.9),
    consistency=st.floats(0, 10),
    scale=st.floats(0.01, 10),
    seed=st.integers(0, 2**16),
)
def test_value_and_gradients_equal_pytorchs(
    passes: int,
    rows: int,
    size: int,
    vocabulary: int,
    smoothing: float,
    consistency: float,
    scale: float,
    seed: int,
) -> None:
    """Value and all gradients are PyTorch's, of one pass or of two held together, whatever the shapes and the scale."""
    _agree(*_inputs(rows, size, vocabulary, seed, passes), smoothing, scale, consistency)


@pytest.mark.parametrize("more", [-1, 0, 1, CHUNK + 7])
@pytest.mark.parametrize("passes", [1, 2])
def test_chunks_do_not_show(passes: int, more: int) -> None:
    """Rows just below, at and above whole chunks give PyTorch's value and gradients."""
    _agree(*_inputs(CHUNK // passes + more, 8, 30, passes=passes), 0.1, consistency=5.0)


def test_two_passes_that_agree_cost_what_one_does() -> None:
    """Without dropout both passes are the same, and the loss and the weights' gradients those of one."""
    tensors, targets = _inputs(20, 6, 30)
    twice = torch.stack([tensors[0].detach()] * 2).requires_grad_()
    weight, bias = (tensor.detach().clone().requires_grad_() for tensor in tensors[1:])
    one = smoothed_cross_entropy(tensors[0], tensors[1], tensors[2], targets, 0.1)
    two = smoothed_cross_entropy(twice, weight, bias, targets, 0.1, 5.0)
    torch.testing.assert_close(one, two)
    one.backward()
    two.backward()
    torch.testing.assert_close(tensors[1].grad, weight.grad)
    torch.testing.assert_close(tensors[2].grad, bias.grad)


def test_no_rows_cost_nothing() -> None:
    """A loss over no words is zero with zero gradients."""
    tensors, targets = _inputs(0, 4, 6)
    loss = smoothed_cross_entropy(tensors[0], tensors[1], tensors[2], targets, 0.1)
    loss.backward()
    assert loss.item() == 0
    assert tensors[1].grad is not None
    assert not tensors[1].grad.any()


def test_it_is_close_under_bf16_autocast() -> None:
    """Under bf16 autocast the value and the fp32 gradients stay near those of fp32."""
    tensors, targets = _inputs(2 * CHUNK + 3, 16, 40)
    copies = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = smoothed_cross_entropy(tensors[0], tensors[1], tensors[2], targets, 0.1)
    theirs = _reference(copies, targets, 0.1)
    ours.backward()
    theirs.backward()
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=0)
    for mine, their in zip(tensors, copies, strict=True):
        assert mine.grad is not None
        assert their.grad is not None
        assert mine.grad.dtype == torch.float32
        assert (mine.grad - their.grad).norm() < 0.02 * their.grad.norm()


def test_large_logits_stay_finite() -> None:
    """Logits that would overflow exp give a finite loss and finite gradients."""
    tensors, targets = _inputs(5, 4, 6)
    loss = smoothed_cross_entropy(tensors[0] * 1e3, tensors[1], tensors[2], targets, 0.1)
    loss.backward()
    assert loss.isfinite()
    assert all(tensor.grad is not None and tensor.grad.isfinite().all() for tensor in tensors)


def test_a_second_derivative_is_refused() -> None:
    """The gradient is computed in the forward pass, so differentiating it again is an error, not a wrong number."""
    tensors, targets = _inputs(3, 4, 6)
    loss = smoothed_cross_entropy(tensors[0], tensors[1], tensors[2], targets, 0.1)
    (gradient,) = torch.autograd.grad(loss, tensors[0], create_graph=True)
    with pytest.raises(RuntimeError):
        gradient.sum().backward()
