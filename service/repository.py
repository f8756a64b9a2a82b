"""The model repository on disk: which versions it holds, and which of them are to be served."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from service.aliases import read_aliases
from service.bundle import Bundle, read_bundle
from service.errors import StartupError, VersionNotFound, quoted

Version: TypeAlias = tuple[str, int]  # a model's name, and the number of the version
PIN = re.compile(r"([^/,]+)/([1-9]\d*)")


@dataclass(frozen=True)
class Repository:
    """Find versions as folders NAME/VERSION; hidden folders are unfinished exports and do not count."""

    path: Path
    policy: str = "all"  # all, how many of the highest of each name, or NAME/VERSION,NAME/VERSION,...
    aliases: str = ""  # of the settings: what they name is served besides

    def found(self) -> dict[str, list[int]]:
        """Return all versions by name, ascending.

        Raises:
            StartupError: there is no such folder, or a folder in it is no version.
        """
        if not self.path.is_dir():
            raise StartupError(f"--model-repository {self.path}: there is no such folder")
        return {folder.name: self._versions(folder) for folder in _folders(self.path)}

    def versions(self, name: str) -> list[int]:
        """Return the versions of a model, ascending; none where there is no such folder.

        Raises:
            StartupError: a folder in it is no version.
        """
        return next((self._versions(folder) for folder in _folders(self.path) if folder.name == name), [])

    def stamp(self, version: Version) -> frozenset[tuple[str, int, int]]:
        """Return what is another as soon as a file of a version is, which may have been taken away."""
        folder = self._folder(version)
        try:
            files = {file.name: file.stat() for file in folder.iterdir()} if folder else {}
        except OSError:
            return frozenset()
        return frozenset((file, found.st_ino, found.st_mtime_ns) for file, found in files.items())

    def _versions(self, folder: Path) -> list[int]:
        names = [version.name for version in _folders(folder)]
        for name in names:
            if not re.fullmatch(r"[1-9]\d*", name):
                raise StartupError(f"{folder / name}: a version is a folder named 1, 2, ...")
        if not names:
            raise StartupError(f"{folder}: holds no version (a folder named 1, 2, ...)")
        return sorted(map(int, names))

    def wanted(self) -> list[Version]:
        """List the versions that the policy asks for, or an alias, by name and number.

        Raises:
            StartupError: the policy cannot be read, one that is named is missing, or there is nothing to serve.
        """
        found = self.found()
        named = {(name, alias.version) for name, alias in read_aliases(self.aliases)}
        for name, version in sorted(named):
            if version not in found.get(name, ()):
                there = ", ".join(map(str, found.get(name, ()))) or "none"
                why = f"{self.path / name} has no version {version}, but {there}"
                raise StartupError(f"--aliases {self.aliases}: {why}")
        return sorted(named.union(self._asked_for(found)))

    def _asked_for(self, found: dict[str, list[int]]) -> list[Version]:
        """List the versions that the policy asks for."""
        if not found:
            how = f"make one with python -m export RUN {self.path}/NAME"
            raise StartupError(f"--model-repository {self.path}: holds no model; {how}")
        if self.policy.isdecimal() and int(self.policy):
            return [(name, version) for name, versions in found.items() for version in versions[-int(self.policy) :]]
        if self.policy == "all":
            return [(name, version) for name, versions in found.items() for version in versions]
        pins = [PIN.fullmatch(pin.strip()) for pin in self.policy.split(",")]
        pinned = sorted({(pin[1], int(pin[2])) for pin in pins if pin})
        if None in pins:
            how = "all, a number of the highest of each model, or NAME/VERSION,..."
            raise StartupError(f"--serve-versions {self.policy}: must be {how}")
        for name, version in pinned:
            if version not in found.get(name, ()):
                raise StartupError(f"--serve-versions {self.policy}: {self.path / name} has no version {version}")
        return pinned

    def read(self, version: Version) -> Bundle:
        """Read and verify the bundle of a version.

        Raises:
            VersionNotFound: there is no such folder.
            BundleError: it must not be served.
        """
        name, number = version
        folder = self._folder(version)
        if folder is None or not folder.is_dir():
            raise VersionNotFound(f"the model repository has no version {number} of {quoted(name)}")
        bundle = read_bundle(folder)
        if bundle.manifest.name != name:
            raise StartupError(f"{folder}: its manifest names the model {bundle.manifest.name!r}, not {name!r}")
        return bundle

    def _folder(self, version: Version) -> Path | None:
        """Return where a version would be. Its name may come from a request: it leads nowhere else."""
        name, number = version
        return next((folder / str(number) for folder in _folders(self.path) if folder.name == name), None)


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
