"""CTranslate2, as a library and behind our API: a Transformer of the bundled model's size with random weights.

python -m benchmarks.peers.ctranslate2 --install     (once; 300 MB, into runs/)
python -m benchmarks.peers.ctranslate2 ../shared/data/multi30k/test_2016_flickr.en.txt --precision int8
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.library_command import BUNDLE, main, vocabulary_file
from benchmarks.peers.library_process import ROOT, Library
from benchmarks.peers.library_result import END, PRECISIONS, Result
from benchmarks.peers.peer import Endpoint
from benchmarks.peers.server import METHOD, SERVICE, TranslatePeer
from seq2serve.v1 import options_pb2, translation_pb2

THREADS = 2
LIBRARY = Library(
    "ctranslate2",
    ("ctranslate2==4.8.5", *(f"{name}=={version(name)}" for name in ("grpcio", "protobuf", "sentencepiece"))),
    model="model.bin",
)


def missing() -> str:
    """Say why it cannot run here; empty: it can."""
    return LIBRARY.missing()


def run(sources: list[list[str]], targets: list[int], precision: str) -> Result:
    """Translate sentences, given as pieces, to exactly so many target tokens each.

    Raises:
        RuntimeError: it is not installed, or failed; says why.
    """
    return LIBRARY.run(sources, targets, precision, THREADS)


@dataclass(frozen=True)
class CTranslate2(TranslatePeer):
    """Run it behind a Python server with dynamic batching, with a token more for each text: our end symbol's step."""

    lengths: Mapping[str, int]  # target tokens of each text, which its random weights would not know
    precision: str = PRECISIONS[0]
    threads: int = THREADS
    bundle: Path = BUNDLE  # whose vocabulary splits the texts

    @property
    def name(self) -> str:
        """Return the label in tables."""
        return f"CTranslate2 {self.precision}, dynamic batching"

    def missing(self) -> str:
        """Say why it cannot run here; empty: it can."""
        return missing()

    def payload(self, text: str) -> bytes:
        """Return a serialized request."""
        options = options_pb2.DecodeOptions(max_length=self.lengths[text] + END)
        return translation_pb2.TranslateRequest(text=text, options=options).SerializeToString()

    def target_tokens(self, reply: bytes) -> int:
        """Return the pieces of a serialized reply's translation, without the one that stands for the end symbol."""
        return super().target_tokens(reply) - END

    @contextmanager
    def serve(self) -> Iterator[Endpoint]:
        """Start the process, wait for its port, and stop it at the end.

        Raises:
            RuntimeError: it is not installed, or ended before it had a port.
        """
        if reason := self.missing():
            raise RuntimeError(reason)
        files = str(LIBRARY.folder), str(vocabulary_file(self.bundle))
        command = LIBRARY.command("server", *files, self.precision, str(self.threads))
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=LIBRARY.surroundings(),
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                port = process.stdout.readline().strip()
                if not port:
                    raise RuntimeError("CTranslate2's server did not start: its error stands above")
                yield Endpoint(f"127.0.0.1:{port}", f"/{SERVICE}/{METHOD}", process.pid)
            finally:
                process.terminate()


if __name__ == "__main__":
    main(__doc__, LIBRARY, run)
