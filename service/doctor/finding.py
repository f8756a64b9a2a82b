"""What a check found."""

import enum
from dataclasses import dataclass

SUBJECT = 22  # characters


class Level(enum.StrEnum):
    """Say how bad it is: only a fault makes the doctor fail."""

    OK = "ok"
    NOTE = "note"
    FAULT = "FAULT"


@dataclass(frozen=True)
class Finding:
    """Hold what was looked at, what was found and, where it is not in order, what to do."""

    level: Level
    subject: str
    found: str
    fix: str = ""

    def __str__(self) -> str:
        lines = [f"{self.level:<6} {self.subject:<{SUBJECT}} {self.found}"]
        if self.fix:
            lines.append(f"{'':<6} {'':<{SUBJECT}} -> {self.fix}")
        return "\n".join(lines)
