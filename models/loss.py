"""Output layer, softmax and cross-entropy in one piece."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 512  # rows whose logits are alive at a time; 512 x 8,000 x 4 bytes stay near the caches


class _SmoothedCrossEntropy(torch.autograd.Function):
    """Compute the gradient with the loss, chunk by chunk, so that the (P, N, V) logits never exist as a whole.

    On a CPU their passes through memory would cost more than the products.
    """

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float, consistency: float
    ) -> Tensor:
        passes, words = inputs.shape[:2]
        total = torch.zeros((), device=inputs.device)
        d_inputs = torch.empty_like(inputs)
        d_weight = torch.zeros_like(weight, dtype=torch.float32)
        d_bias = torch.zeros_like(bias, dtype=torch.float32)
        for start in range(0, words, CHUNK // passes):
            chunk = slice(start, start + CHUNK // passes)
            x = inputs[:, chunk].flatten(0, 1)
            log_probabilities = torch.addmm(bias, x, weight.t()).float().unflatten(0, (passes, -1))  # (P, n, V)
            log_probabilities -= log_probabilities.logsumexp(-1, keepdim=True)
            held = _divergence(log_probabilities, consistency) if passes == 2 else None
            loss, gradient = _likelihood(log_probabilities, targets[chunk], smoothing)
            if held:
                loss, gradient = loss + held[0], gradient.add_(held[1])
            total += loss
            d_logits = gradient.flatten(0, 1).to(x.dtype)
            d_inputs[:, chunk] = (d_logits @ weight).unflatten(0, (passes, -1))
            d_weight += d_logits.t() @ x
            d_bias += d_logits.sum(0, dtype=torch.float32)
        ctx.save_for_backward(d_inputs, d_weight, d_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        d_inputs, d_weight, d_bias = ctx.saved_tensors
        return d_inputs * scale.to(d_inputs.dtype), d_weight * scale, d_bias * scale, None, None, None


def _likelihood(log_probabilities: Tensor, targets: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Sum the smoothed cross-entropies of targets (n,), the mean of passes (P, n, V), which become the gradient."""
    passes, _, vocabulary = log_probabilities.shape
    y = targets.expand(passes, -1)[..., None]
    loss = -(1 - smoothing) * log_probabilities.gather(2, y).sum() - smoothing * log_probabilities.mean(-1).sum()
    # d loss / d logits = softmax - smoothed target
    gradient = log_probabilities.exp_().sub_(smoothing / vocabulary)
    gradient.scatter_add_(2, y, gradient.new_full(y.shape, smoothing - 1))
    return loss / passes, gradient if passes == 1 else gradient.div_(passes)


def _divergence(log_probabilities: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Sum how far two passes (2, n, V) are apart, `weight` (KL(1||2) + KL(2||1)) / 4; gives the gradient, too."""
    probabilities = log_probabilities.exp()
    ratio = log_probabilities - log_probabilities.flip(0)  # of each to the other
    apart = (probabilities * ratio).sum(-1, keepdim=True)
    gradient = ratio.sub_(apart).mul_(probabilities).add_(probabilities).sub_(probabilities.flip(0))
    return apart.sum() * (weight / 4), gradient.mul_(weight / 4)


def smoothed_cross_entropy(
    inputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float, consistency: float = 0.0
) -> Tensor:
    """Sum the label-smoothed cross-entropy (Szegedy et al. 2016, section 7) of softmax(inputs weight' + bias), in nats.

    Two passes over the same words count half each, and are held together: half of R-Drop's loss (Liang et al. 2021, 2),
    so that a word weighs as much as in one.

    Args:
        inputs: (N, E), or (2, N, E) of two passes with other dropout.
        weight: (V, E).
        bias: (V,).
        targets: ids (N,).
        smoothing: the share of probability that the target gives up to the whole vocabulary, evenly.
        consistency: the weight of the passes' divergence, alpha in the paper.
    """
    if torch.is_autocast_enabled(inputs.device.type):
        lower = torch.get_autocast_dtype(inputs.device.type)
        inputs, weight, bias = inputs.to(lower), weight.to(lower), bias.to(lower)
    passes = inputs if inputs.dim() == 3 else inputs[None]
    with torch.autocast(inputs.device.type, enabled=False):
        loss: Tensor = _SmoothedCrossEntropy.apply(passes, weight, bias, targets, smoothing, consistency)  # type: ignore[no-untyped-call]
    return loss
