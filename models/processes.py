"""Several processes that train one model, as torchrun starts them; one alone is the usual case."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as distributed
import torch.distributed.nn  # now: functions imported while there is a group keep it, and its threads, to the end
from torch import Tensor, nn

Item = TypeVar("Item")
CPU = torch.device("cpu")


class Processes:
    """Divide the rows of every batch, and add up what is learned of them.

    Without dropout the result is that of one process with the whole batch, however many there are: gradients are sums
    over rows, and each process takes its optimizer step with the same sums. Each process draws the dropout of its own
    rows: with it, another number of processes is like another seed. The first process, `leads`, writes and logs.
    """

    def __init__(self, device: torch.device = CPU) -> None:
        """Join the group that the environment describes, if there is one; `device` is this process's own."""
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.count > 1 and not distributed.is_initialized():
            if device.type == "cuda":
                torch.cuda.set_device(device)  # where objects are gathered; without it, the first GPU for all
                distributed.init_process_group("nccl", device_id=device)
            else:
                distributed.init_process_group("gloo")

    @property
    def leads(self) -> bool:
        """Tell whether this is the process that writes and logs."""
        return self.rank == 0

    def share(self, rows: Sequence[Item]) -> Sequence[Item]:
        """Return the rows of this process; every process has another part of them."""
        return rows[self.rank :: self.count]

    def whole(self, rows: Sequence[Item]) -> list[Item]:
        """Put together what all processes made of their shares, in the order of the rows."""
        parts = self.gather(list(rows))
        found: list[Any] = [None] * sum(map(len, parts))
        for rank, part in enumerate(parts):
            found[rank :: self.count] = part
        return found

    def gather(self, one: Item) -> list[Item]:
        """Return what every process gave, by rank."""
        if self.count == 1:
            return [one]
        found: list[Any] = [None] * self.count
        distributed.all_gather_object(found, one)
        return found

    def add_up(self, parameters: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """Replace gradients by their sums over all processes; returns the sum of the losses."""
        if self.count == 1:
            return loss
        owners = list(parameters)
        gradients = [torch.zeros_like(owner) if owner.grad is None else owner.grad for owner in owners]
        flat = torch.cat([*(gradient.flatten().float() for gradient in gradients), loss.reshape(1).float()])
        distributed.all_reduce(flat)
        *sums, total = flat.split([*(gradient.numel() for gradient in gradients), 1])
        for owner, gradient, summed in zip(owners, gradients, sums, strict=True):
            owner.grad = summed.view_as(gradient).to(gradient.dtype)
        return torch.reshape(total, ())

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            distributed.barrier()

    def close(self) -> None:
        """Leave the group."""
        if distributed.is_initialized():
            distributed.destroy_process_group()
