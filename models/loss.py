"""Output layer, softmax and cross-entropy in one piece."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 512  # rows whose logits are alive at a time; 512 x 8,000 x 4 bytes stay near the caches


class _SmoothedCrossEntropy(torch.autograd.Function):
    """Compute the gradient with the loss, chunk by chunk, so that the (N, V) logits never exist as a whole.

    On a CPU their passes through memory would cost more than the products.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        vocabulary = weight.shape[0]
        total = torch.zeros((), device=inputs.device)
        d_inputs = torch.empty_like(inputs)
        d_weight = torch.zeros_like(weight, dtype=torch.float32)
        d_bias = torch.zeros_like(bias, dtype=torch.float32)
        for start in range(0, inputs.shape[0], CHUNK):
            x, y = inputs[start : start + CHUNK], targets[start : start + CHUNK, None]
            logits = torch.addmm(bias, x, weight.t()).float()  # (n, V)
            normalizer = logits.logsumexp(-1)
            mean = logits.mean(-1)
            total += (normalizer - (1 - smoothing) * logits.gather(1, y)[:, 0] - smoothing * mean).sum()
            # d loss / d logits = softmax - smoothed target
            gradient = logits.sub_(normalizer[:, None]).exp_().sub_(smoothing / vocabulary)
            gradient.scatter_add_(1, y, gradient.new_full(y.shape, smoothing - 1))
            gradient = gradient.to(x.dtype)
            d_inputs[start : start + CHUNK] = gradient @ weight
            d_weight += gradient.t() @ x
            d_bias += gradient.sum(0, dtype=torch.float32)
        ctx.save_for_backward(d_inputs, d_weight, d_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        d_inputs, d_weight, d_bias = ctx.saved_tensors
        return d_inputs * scale.to(d_inputs.dtype), d_weight * scale, d_bias * scale, None, None


def smoothed_cross_entropy(inputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Sum the label-smoothed cross-entropy (Szegedy et al. 2016, section 7) of softmax(inputs weight' + bias), in nats.

    Args:
        inputs: (N, E).
        weight: (V, E).
        bias: (V,).
        targets: ids (N,).
        smoothing: the share of probability that the target gives up to the whole vocabulary, evenly.
    """
    if torch.is_autocast_enabled(inputs.device.type):
        lower = torch.get_autocast_dtype(inputs.device.type)
        inputs, weight, bias = inputs.to(lower), weight.to(lower), bias.to(lower)
    with torch.autocast(inputs.device.type, enabled=False):
        loss: Tensor = _SmoothedCrossEntropy.apply(inputs, weight, bias, targets, smoothing)  # type: ignore[no-untyped-call]
    return loss
