"""How fast a recipe trains, and where the time goes."""

import tempfile
import time
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from models.config import Recipe
from models.start import start_run
from models.training import Trainer

WARMUP = 5  # updates
SHOWN = 12  # operators


def measure(recipe: Recipe, data: Path, device: torch.device, updates: int, profiled: bool) -> None:
    """Train a fresh model for some updates; print target pieces per second, and the operators that take the time."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        tokenizer = start_run(recipe, data, run)
        trainer = Trainer(recipe, tokenizer, data, run, device)
        stream = trainer.batches()
        for _ in range(WARMUP):
            trainer.update(next(stream))
        batches = [next(stream) for _ in range(updates)]
        _wait(device)
        started = time.perf_counter()
        for batch in batches:
            trainer.update(batch)
        _wait(device)
        seconds = time.perf_counter() - started
        tokens = sum(batch.target_tokens for batch in batches)
        took = f"{updates} updates, {tokens} pieces in {seconds:.2f} s on {device}"
        print(f"{tokens / seconds:.0f} target pieces/s: {took}")
        if profiled:
            kinds = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
            with profile(activities=kinds) as found:
                for batch in batches[:5]:
                    trainer.update(batch)
            print(found.key_averages().table(sort_by=f"self_{device.type}_time_total", row_limit=SHOWN))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
