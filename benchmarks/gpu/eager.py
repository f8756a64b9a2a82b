"""PyTorch's eager mode on the same device: the model as it was trained, a step at a time."""

import statistics
import time
from pathlib import Path

import torch

from export.restore import restore
from models.tokenizer import BOS_ID
from service.parts import FP16
from service.provider import Device

STEPS, TURNS = 40, 7


@torch.no_grad()
def measure_eager(bundle: Path, device: Device, precision: str, rows: int, length: int) -> float:
    """Return the median seconds of a greedy step of rows with sources of a length, in fp16 or else fp32."""
    tokenizer, model = restore(bundle)
    where = torch.device(str(device))
    model = model.to(where, torch.float16 if precision == FP16 else torch.float32).eval()
    source = torch.randint(4, len(tokenizer), (rows, length), device=where)
    memory, first = model.encode(source, torch.full((rows,), length, device=where))
    seconds = []
    for _ in range(TURNS):
        state, previous = first, torch.full((rows, 1), BOS_ID, device=where)
        _synchronize(device)
        started = time.perf_counter()
        for _ in range(STEPS):
            logits, state, _ = model.step(previous, state, memory)
            previous = logits.argmax(-1)
            previous.cpu()  # as whoever serves looks at it
        seconds.append((time.perf_counter() - started) / STEPS)
    return statistics.median(seconds)


def _synchronize(device: Device) -> None:
    if device.kind == "cuda":
        torch.cuda.synchronize()
