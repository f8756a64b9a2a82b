"""The copy task (Hochreiter & Schmidhuber 1997): say some symbols again after a delay in which nothing happens."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from models import fused
from models.cells import CELLS, Cell

SYMBOLS, SAID, HIDDEN, BATCH = 8, 3, 64, 64
BLANK, CUE = SYMBOLS, SYMBOLS + 1


class Task(NamedTuple):
    """Hold sequences (B, T, symbols + 2) and what is to be said at their last steps, (B, SAID)."""

    inputs: Tensor
    targets: Tensor


def draw_task(delay: int, batch: int = BATCH) -> Task:
    """Draw sequences: the symbols, `delay` blanks, and a cue for each symbol that is to be said."""
    symbols = torch.randint(0, SYMBOLS, (batch, SAID))
    blanks, cues = torch.full((batch, delay), BLANK), torch.full((batch, SAID), CUE)
    return Task(one_hot(torch.cat([symbols, blanks, cues], 1), SYMBOLS + 2).float(), symbols)


class Listener(nn.Module):
    """One cell, and a layer that says what it remembers."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.cell: Cell = CELLS[kind](SYMBOLS + 2, HIDDEN)
        self.output = nn.Linear(HIDDEN, SYMBOLS)

    def forward(self, inputs: Tensor) -> Tensor:
        """Read sequences (B, T, symbols + 2); gives the logits of the last steps, (B, SAID, symbols)."""
        state = tuple(tensor[:, None] for tensor in self.cell.initial_state(inputs))
        said: Tensor = self.output(fused.unroll(self.cell, inputs, state)[:, -SAID:])
        return said


def learn(kind: str, delay: int, updates: int, seed: int) -> Listener:
    """Train a listener for a number of updates, from fresh weights."""
    torch.set_num_threads(1)  # more would only wait for one another
    torch.manual_seed(seed)
    listener = Listener(kind)
    optimizer = torch.optim.Adam(listener.parameters(), lr=3e-3)
    for _ in range(updates):
        task = draw_task(delay)
        optimizer.zero_grad()
        cross_entropy(listener(task.inputs).flatten(0, 1), task.targets.flatten()).backward()
        nn.utils.clip_grad_norm_(listener.parameters(), 1.0)
        optimizer.step()
    return listener


@torch.no_grad()
def accuracy(listener: Listener, delay: int) -> float:
    """Return the share of symbols that a listener says right; guessing gives 1/8."""
    task = draw_task(delay, 512)
    return float((listener(task.inputs).argmax(-1) == task.targets).float().mean())
