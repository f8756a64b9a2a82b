"""What each system did at each number in flight: a table, and a file to draw it from again."""

import json
from dataclasses import asdict, dataclass, field

from benchmarks.row import Row, median
from seq2serve.load.table import markdown, number

HEAD = ("system", "in flight", "sentences/s", "p50 ms", "p95 ms", "p99 ms", "failed")


@dataclass
class Points:
    """Hold the rows of all runs, by system and number in flight."""

    about: str  # the text and the machine
    rows: dict[str, dict[int, list[Row]]] = field(default_factory=dict)

    def add(self, name: str, in_flight: int, row: Row) -> None:
        """Add what a system did in one run."""
        self.rows.setdefault(name, {}).setdefault(in_flight, []).append(row)

    def medians(self) -> dict[str, dict[int, Row]]:
        """Return the median of each point's runs."""
        return {name: {count: median(found) for count, found in line.items()} for name, line in self.rows.items()}

    def table(self) -> str:
        """Return the medians as a Markdown table, with a line for each point."""
        lines = []
        for name, line in self.medians().items():
            for in_flight, row in line.items():
                timed = ("-" if one is None else number(1000 * one) for one in (row.p50, row.p95, row.p99))
                lines.append([name, str(in_flight), number(row.sentences_per_second), *timed, number(row.failed)])
        return markdown(HEAD, lines)

    def to_json(self) -> str:
        """Write every run down."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Points":
        """Read what `to_json` wrote."""
        content = json.loads(text)
        points = cls(content["about"])
        for name, line in content["rows"].items():
            for in_flight, found in line.items():
                for row in found:
                    points.add(name, int(in_flight), Row(**row))
        return points
