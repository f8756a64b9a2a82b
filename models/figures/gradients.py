"""Vanishing gradients, measured (Bengio et al. 1994): how much of an error reaches what was read long before."""

from pathlib import Path

import torch
from matplotlib.axes import Axes
from torch.nn.functional import cross_entropy

from models.cells import CELLS
from models.figures.canvas import COLOURS, write
from models.figures.recall import Listener, draw_task, learn

LEARNED = 20  # delay of the copy task that the trained cells have learned


def norms(listener: Listener, distance: int) -> list[float]:
    """Return the mean norm of d loss of the last word / d input, for inputs 0 to `distance` steps before it."""
    task = draw_task(distance)
    inputs = task.inputs.requires_grad_()
    cross_entropy(listener(inputs)[:, -1], task.targets[:, -1], reduction="sum").backward()
    assert inputs.grad is not None
    found: list[float] = inputs.grad.norm(dim=-1).mean(0).flip(0)[: distance + 1].tolist()
    return found


def draw(path: Path, distance: int, updates: int, seed: int) -> None:
    """Measure every cell, fresh and after it has learned the copy task; write the picture and print the numbers."""
    found: dict[str, dict[str, list[float]]] = {"fresh weights": {}, f"after a copy task of delay {LEARNED}": {}}
    for kind in CELLS:
        torch.manual_seed(seed)
        listeners = Listener(kind), learn(kind, LEARNED, updates, seed)
        for curves, listener in zip(found.values(), listeners, strict=True):
            curves[kind] = norms(listener, distance)
    for title, curves in found.items():
        for kind, curve in curves.items():
            places = [place for place in (0, 10, 20, 50, 100) if place <= distance]
            shown = "  ".join(f"{place}: {curve[place]:.1e}" for place in places)
            print(f"{title:34} {kind:5} {shown}")

    def fill(axes: list[Axes]) -> None:
        for one, (title, curves) in zip(axes, found.items(), strict=True):
            for kind, curve in curves.items():
                one.plot([max(value, 1e-30) for value in curve], label=kind, color=COLOURS[kind])
            one.set(title=title, xlabel="steps between input and error", ylabel="norm of the gradient", yscale="log")
            one.legend()

    write(path, 2, fill)
