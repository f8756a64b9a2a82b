"""What a greedy step would gain by levers that are not built: a lexical shortlist, and several steps in one call.

python -m benchmarks.levers --precision int8

Weights are random, and as many as the bundled model has. Figures are medians in milliseconds, of variants in turns, so
that noise hits all of them. It takes some minutes.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy
from numpy.typing import NDArray

from benchmarks.lever_graphs import Session, Step, follow, open_graph, take, trace_step, write_step, write_unrolled
from benchmarks.machine import describe_machine
from models.config import Recipe
from seq2serve.load.table import markdown, number
from service.parts import FP32, INT8

RECIPE = Path(__file__).parents[1] / "models" / "recipes" / "tatoeba-en-de.toml"
SOURCE_LENGTH = 32
SHORTLISTS = (500, 1000, 2000, 4000)  # columns; the union over a batch's rows has many
CALLS, CALL_ROWS = (1, 2, 4), (1, 32)  # steps in one call
TURNS, REPEATS = 9, 4
VOCABULARY, SHORTLIST, GATHERING, UNROLLED = (
    "Whole output layer, and argmax in numpy",
    "Step with a shortlist, in brackets with these columns as constants, and argmax behind a mask for each row",
    "Gathering a shortlist's columns, each time that a batch gains or loses a row",
    "Several steps in one call, of the first vocabulary: time of one step",
)
Floats: TypeAlias = NDArray[numpy.float32]
Sessions: TypeAlias = dict[str, Session]
random = numpy.random.default_rng(0)


def medians(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Time functions in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(TURNS):
        for name, run in runs.items():
            run()  # the others have driven its weights out of the caches
            for _ in range(REPEATS):
                started = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - started)
    return {name: 1000 * statistics.median(found) for name, found in seconds.items()}


def uniform(*shape: int) -> Floats:
    """Make numbers such as states are."""
    return random.uniform(-1, 1, shape).astype(numpy.float32)


def make_feed(step: Step, size: int, rows: int) -> dict[str, Any]:
    """Make the inputs of a step for a vocabulary of a size."""
    table, memory, state = step.signature.tables[-1], step.signature.memory, step.signature.state
    return {
        "previous_ids": random.integers(4, size, (rows, 1)),
        "source_lengths": numpy.full(rows, SOURCE_LENGTH),
        table.name: uniform(size, *table.features[1:]),
        **{tensor.name: uniform(rows, SOURCE_LENGTH, *tensor.features) for tensor in memory},
        **{tensor.name: uniform(rows, 1, *tensor.features) for tensor in state},
    }


def best_of_own(logits: Floats, masks: Floats) -> Any:
    """Choose among each row's own pieces of those of its batch, as no result may depend on the others."""
    return (logits + masks).argmax(axis=-1)


def write_all(step: Step, sizes: Sequence[int], folder: Path) -> dict[str, Path]:
    """Write all graphs of a precision."""
    names = ["given", *(f"step {size}" for size in {*sizes, *SHORTLISTS}), *(f"calls {times}" for times in CALLS)]
    files = {name: folder / f"{name}.onnx" for name in names}
    for name, file in files.items():
        kind, _, count = name.partition(" ")
        if kind == "calls":
            write_unrolled(files[f"step {sizes[0]}"], step.state, int(count), file)
        else:
            write_step(step, step.shortened(int(count)) if count else None, file)
    return files


def time_layers(step: Step, sessions: Sessions, sizes: Sequence[int], rows: int) -> dict[str, float]:
    """Time steps with a whole output layer and with shortlists, and choosing the best pieces."""
    runs: dict[str, Callable[[], object]] = {}
    for size in sizes:
        runs[f"step {size}"] = partial(sessions[f"step {size}"].run, None, make_feed(step, size, rows))
        runs[f"best {size}"] = partial(uniform(rows, 1, size).argmax, axis=-1)
    feed = make_feed(step, sizes[0], rows)
    for count in SHORTLISTS:
        masks = numpy.where(random.random((rows, 1, count)) < 0.2, 0, -numpy.inf).astype(numpy.float32)
        runs[f"given {count}"] = partial(sessions["given"].run, None, feed | step.shortened(count))
        runs[f"constant {count}"] = partial(sessions[f"step {count}"].run, None, feed)
        runs[f"own {count}"] = partial(best_of_own, uniform(rows, 1, count), masks)
    return medians(runs)


def time_gathering(step: Step, size: int) -> list[float]:
    """Time gathering the columns of each shortlist out of a whole output layer."""
    layer, chosen = step.shortened(size), [numpy.sort(random.choice(size, count, False)) for count in SHORTLISTS]
    return list(medians({str(len(ids)): partial(take, layer, size, ids) for ids in chosen}).values())


def time_calls(step: Step, sessions: Sessions, size: int, rows: int) -> list[float]:
    """Time a single step with its argmax in numpy, and one of several in a call.

    Raises:
        RuntimeError: several steps in one call give other pieces.
    """
    single, feed = sessions[f"step {size}"], make_feed(step, size, rows)
    expected = follow(single, feed, step.state, max(CALLS))
    runs: dict[str, Callable[[], object]] = {"single": partial(follow, single, feed, step.state, 1)}
    for times in CALLS:
        session = sessions[f"calls {times}"]
        if not numpy.array_equal(session.run([f"ids_{n}" for n in range(times)], feed), expected[:times]):
            raise RuntimeError(f"{times} steps in one call give other pieces than single steps")
        runs[str(times)] = partial(session.run, None, feed)
    found = medians(runs)
    return [found["single"], *(found[str(times)] / times for times in CALLS)]


def measure(precision: str, sizes: Sequence[int], every: Sequence[int]) -> Iterator[tuple[str, list[str]]]:
    """Yield lines of tables, each with its table's title."""
    step = trace_step(Recipe.read(RECIPE).model, max(sizes), precision)
    for size in sizes:
        yield GATHERING, [precision, str(size), *map(number, time_gathering(step, size))]
    with tempfile.TemporaryDirectory() as folder:
        files = write_all(step, sizes, Path(folder))
        for threads in sorted({1, os.cpu_count() or 1}):
            sessions = {name: open_graph(file, threads) for name, file in files.items()}
            for rows in every:
                found, place = time_layers(step, sessions, sizes, rows), [precision, str(threads), str(rows)]
                whole = [found[f"{part} {size}"] for size in sizes for part in ("step", "best")]
                yield VOCABULARY, [*place, *map(number, whole)]
                cells = []
                for count in SHORTLISTS:
                    given, constant = (number(found[f"{kind} {count}"]) for kind in ("given", "constant"))
                    cells += [f"{given} ({constant})", number(found[f"own {count}"])]
                yield SHORTLIST, place + cells
            for rows in CALL_ROWS:
                timed = time_calls(step, sessions, sizes[0], rows)
                yield UNROLLED, [precision, str(threads), str(rows), *map(number, timed)]


def main() -> None:
    """Print a table for each lever."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=(FP32, INT8), nargs="+", default=(FP32, INT8))
    parser.add_argument("--rows", type=int, nargs="+", default=(1, 16, 32, 64))
    parser.add_argument("--vocabulary", type=int, nargs="+", default=(8000, 32_000), help="each above 4000")
    arguments = parser.parse_args()
    tables = defaultdict[str, list[list[str]]](list)
    for precision in arguments.precision:
        for table, line in measure(precision, arguments.vocabulary, arguments.rows):
            tables[table].append(line)
    place = ["precision", "threads", "rows"]
    heads = {
        VOCABULARY: place + [part for size in arguments.vocabulary for part in (f"{size} columns", "argmax")],
        SHORTLIST: place + [part for count in SHORTLISTS for part in (f"{count} columns", "argmax")],
        GATHERING: ["precision", "out of", *map(str, SHORTLISTS)],
        UNROLLED: [*place, "single, argmax in numpy", *(f"{times} in a call" for times in CALLS)],
    }
    print(f"{SOURCE_LENGTH} source pieces. {describe_machine()}")
    for table, head in heads.items():
        print(f"\n{table} (ms)\n\n{markdown(head, tables[table])}")


if __name__ == "__main__":
    main()
