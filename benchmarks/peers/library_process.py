"""A library that translates without a server: in a process, and a virtual environment, of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.library_result import Result, read_result, write_jobs

ROOT = Path(__file__).parents[2]
ENVIRONMENTS, MODELS = ROOT / "runs" / "peers-venv", ROOT / "runs" / "peers"


@dataclass(frozen=True)
class Library:
    """Say what a library needs, and where it lives."""

    name: str  # of its virtual environment, of its model's folder, and of its modules here
    packages: tuple[str, ...]  # as pip takes them
    model: str  # its model's file

    @property
    def python(self) -> Path:
        """Return the interpreter of its virtual environment."""
        return ENVIRONMENTS / self.name / "bin" / "python"

    @property
    def folder(self) -> Path:
        """Return where its model lies."""
        return MODELS / self.name

    def missing(self) -> str:
        """Say that it is not installed, and how to install it; empty: it can run."""
        if self.python.is_file() and (self.folder / self.model).is_file():
            return ""
        return f"{self.name} is not installed: python -m benchmarks.peers.{self.name} --install"

    def install(self, vocabulary: Sequence[str]) -> None:
        """Make its virtual environment, and its model for a vocabulary.

        Raises:
            CalledProcessError: a package is not found, or the model cannot be made.
        """
        (self.folder / self.model).unlink(
            missing_ok=True
        )  # so that an installation that breaks off is not taken for one
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENTS / self.name)], check=True)
        pip = [str(self.python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, *self.packages], check=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "pieces.json").write_text(json.dumps(list(vocabulary)), encoding="utf-8")
        subprocess.run(self.command("model", str(self.folder)), cwd=ROOT, env=self.surroundings(), check=True)

    def command(self, module: str, *arguments: str) -> list[str]:
        """Return the command that runs one of its modules in its virtual environment."""
        return [str(self.python), "-m", f"benchmarks.peers.{self.name}_{module}", *arguments]

    def surroundings(self) -> dict[str, str]:
        """Return environment variables with which its modules find this repository's."""
        return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")])}

    def run(self, sources: Sequence[Sequence[str]], targets: Sequence[int], precision: str, threads: int) -> Result:
        """Translate sentences in a new process.

        Raises:
            RuntimeError: it is not installed, failed, or produced other lengths than were wanted; says why.
        """
        if reason := self.missing():
            raise RuntimeError(reason)
        with tempfile.TemporaryDirectory(prefix=f"{self.name}-") as folder:
            jobs = Path(folder) / "jobs.tsv"
            jobs.write_text(write_jobs(sources, targets), encoding="utf-8")
            command = self.command("worker", str(self.folder), str(jobs), precision, str(threads))
            ended = subprocess.run(command, cwd=ROOT, env=self.surroundings(), capture_output=True, text=True)
        if ended.returncode:
            raise RuntimeError(f"{self.name} ended with {ended.returncode}: {ended.stderr.strip()[-2000:]}")
        result = read_result(ended.stdout)
        if result.target_tokens != sum(targets):
            raise RuntimeError(f"{self.name} produced {result.target_tokens} tokens, {sum(targets)} were wanted")
        return result
