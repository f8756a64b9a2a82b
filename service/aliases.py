"""Movable names of a model's versions, and the share of requests that each takes."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.errors import InvalidRequest, VersionNotFound, quoted

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
ENTRY = re.compile(r"([^:,=@]+):([^:,=@]+)=([1-9]\d*)(?:@(\d*\.?\d+))?")
STABLE = "stable"  # answers what no weight takes, where there is such an alias


@dataclass(frozen=True)
class Alias:
    """Let a name stand for a version."""

    name: str
    version: int
    weight: float = 0.0  # of the requests that name neither version nor alias


class Aliases:
    """Hold the aliases of one model."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        """Take what draws a number from 0 to 1 for each request."""
        self._aliases: dict[str, Alias] = {}
        self._draw = draw

    def __iter__(self) -> Iterator[Alias]:
        """Iterate over all, by name."""
        return iter(sorted(self._aliases.values(), key=lambda alias: alias.name))

    def set(self, alias: Alias) -> None:
        """Add an alias, or move it.

        Raises:
            InvalidRequest: its name or weight is out of range, or all weights together are above 1.
        """
        if not NAME.fullmatch(alias.name):
            why = f"is {quoted(alias.name)}, must be 1 to 64 letters, digits, - and _"
            raise InvalidRequest.field("alias.alias", why)
        taken = sum(other.weight for other in self._aliases.values() if other.name != alias.name)
        if not 0 <= alias.weight <= 1 - taken + 1e-9:
            why = f"is {alias.weight:g}, must be from 0 to {1 - taken:g}, which the other aliases leave"
            raise InvalidRequest.field("alias.weight", why)
        self._aliases[alias.name] = alias

    def delete(self, name: str) -> None:
        """Forget an alias.

        Raises:
            VersionNotFound: there is no such alias.
        """
        self.version(name)
        del self._aliases[name]

    def forget(self, version: int) -> None:
        """Forget all aliases of a version."""
        self._aliases = {name: alias for name, alias in self._aliases.items() if alias.version != version}

    def version(self, name: str) -> int:
        """Return the version that an alias stands for.

        Raises:
            VersionNotFound: there is no such alias; lists those that there are.
        """
        if name not in self._aliases:
            known = ", ".join(alias.name for alias in self) or "none"
            raise VersionNotFound(f"no alias {quoted(name)}; there are: {known}")
        return self._aliases[name].version

    def choose(self, newest: int) -> int:
        """Return the version for a request that names none: by weight, else `stable`, else the newest."""
        if not self._aliases:
            return newest
        left = self._draw()
        for alias in self:
            left -= alias.weight
            if left < 0:
                return alias.version
        return self.usual(newest)

    def usual(self, newest: int) -> int:
        """Return the version for a request that names none and that no weight takes: `stable`, else the newest."""
        stable = self._aliases.get(STABLE)
        return stable.version if stable else newest


def read_aliases(text: str) -> list[tuple[str, Alias]]:
    """Read NAME:ALIAS=VERSION or NAME:ALIAS=VERSION@WEIGHT, divided by commas; returns the models' names with aliases.

    Raises:
        ValueError: one of them is not of this form, comes twice, or has a name or a weight that is out of range.
    """
    found: list[tuple[str, Alias]] = []
    models: dict[str, Aliases] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        matched = ENTRY.fullmatch(entry)
        if not matched:
            raise ValueError(f"{entry!r} is not NAME:ALIAS=VERSION or NAME:ALIAS=VERSION@WEIGHT")
        model, name, version, weight = matched.groups()
        alias = Alias(name, int(version), float(weight or 0))
        aliases = models.setdefault(model, Aliases())
        if any(other.name == name for other in aliases):
            raise ValueError(f"{model}:{name} is named twice")
        try:
            aliases.set(alias)
        except InvalidRequest as error:
            raise ValueError(f"{entry!r}: {error.message}") from error
        found.append((model, alias))
    return found
