"""Figures as a Markdown table whose columns are aligned, so that a terminal can show it as it is."""

from __future__ import annotations

from collections.abc import Sequence

from seq2serve.load.spread import Spread


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with one line per row, aligned to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def shown(spread: Spread | None, unit: float = 1.0) -> str:
    """Return a figure in units: the median, and in brackets the extremes where they differ from it."""
    if spread is None:
        return "-"
    median, low, high = (number(value / unit) for value in spread)
    return median if low == high else f"{median} ({low}..{high})"


def number(value: float) -> str:
    """Return three digits of a number, and all digits before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
