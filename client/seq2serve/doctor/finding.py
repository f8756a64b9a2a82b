"""What a check found."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

_SUBJECT = 16  # characters


class Level(enum.StrEnum):
    """How bad it is: only a fault makes the doctor fail."""

    OK = "ok"
    NOTE = "note"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was found and, where it is not in order, what to do."""

    level: Level
    subject: str
    found: str
    fix: str = ""

    def __str__(self) -> str:
        lines = [f"{self.level:<6} {self.subject:<{_SUBJECT}} {self.found}"]
        if self.fix:
            lines.append(f"{'':<6} {'':<{_SUBJECT}} -> {self.fix}")
        return "\n".join(lines)


def report(findings: Iterable[Finding]) -> int:
    """Print findings as they come and how many faults are among them; return that number."""
    faults = 0
    for finding in findings:
        print(finding, flush=True)
        faults += finding.level is Level.FAULT
    print(f"{faults} fault{'' if faults == 1 else 's'}" if faults else "all is well")
    return faults
