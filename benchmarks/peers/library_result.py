"""What a library is given to translate, and what that took; it also runs in the library's virtual environment."""

import json
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

BATCH = 64  # sentences of a batch
WARM_UP = 2 * BATCH  # sentences that are translated before the clock starts
PRECISIONS = ("fp32", "int8")
END = 1  # the step of our decoder that chooses the end symbol, which no count of our target tokens has in it
Job: TypeAlias = tuple[list[str], int]  # pieces of a source, and how many target tokens to produce, one step each


@dataclass(frozen=True)
class Result:
    """Hold what translating all sentences in one call took; loading and warming up are not in it."""

    library: str
    version: str
    settings: str
    sentences: int
    target_tokens: int  # that were produced, one decoder step each
    seconds: float
    cpu_seconds: float  # user and system, of all threads
    peak_bytes: int  # of resident memory, since the process started

    @property
    def sentences_per_second(self) -> float:
        """Return the rate by the clock."""
        return self.sentences / self.seconds

    @property
    def tokens_per_second(self) -> float:
        """Return the rate by the clock."""
        return self.target_tokens / self.seconds


def write_jobs(sources: Sequence[Sequence[str]], targets: Sequence[int]) -> str:
    """Write a line for each sentence: how many tokens to produce, a tab, its pieces."""
    return "".join(f"{target}\t{' '.join(source)}\n" for source, target in zip(sources, targets, strict=True))


def read_jobs(text: str) -> list[Job]:
    """Read what write_jobs wrote."""
    fields = [line.split("\t") for line in text.split("\n") if line]  # pieces may hold what splitlines splits at
    return [(pieces.split(" "), int(target)) for target, pieces in fields]


def read_result(output: str) -> Result:
    """Read what a worker printed last."""
    return Result(**json.loads(output.splitlines()[-1]))


def measure(library: str, version: str, settings: str, translate: Callable[[Sequence[Job]], int], text: str) -> None:
    """Translate all jobs of a file's text, and print a result; `translate` returns the tokens it produced."""
    jobs = read_jobs(text)
    translate(jobs[:WARM_UP])
    started, cpu = time.perf_counter(), time.process_time()
    tokens = translate(jobs)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    print(json.dumps(asdict(Result(library, version, settings, len(jobs), tokens, seconds, cpu, peak))), flush=True)
