"""Marian as a library: a GRU model of the bundled model's size with random weights.

python -m benchmarks.peers.marian --install     (once; 1.1 GB, into runs/)
python -m benchmarks.peers.marian ../shared/data/multi30k/test_2016_flickr.en.txt --precision int8
"""

from benchmarks.peers.library_command import main
from benchmarks.peers.library_process import Library
from benchmarks.peers.library_result import Result

THREADS = 2
# Without what pymarian requires, which only downloads models.
LIBRARY = Library("marian", ("--no-deps", "pymarian==1.12.42", "numpy"), model="model.npz")


def missing() -> str:
    """Say why it cannot run here; empty: it can."""
    return LIBRARY.missing()


def run(sources: list[list[str]], targets: list[int], precision: str) -> Result:
    """Translate sentences, given as pieces, to exactly so many target tokens each, the end symbol counted.

    Raises:
        RuntimeError: it is not installed, or failed; says why.
    """
    return LIBRARY.run(sources, targets, precision, THREADS)


if __name__ == "__main__":
    main(__doc__, LIBRARY, run)
