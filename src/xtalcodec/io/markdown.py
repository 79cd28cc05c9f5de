"""Tables of cards, in Markdown."""

from collections.abc import Iterable
from typing import Any


def cell(value: Any) -> str:
    """A fact on one line of a table."""
    return " ".join(str(value).split()).replace("|", r"\|")


def two_columns(rows: Iterable[tuple[str, Any]]) -> list[str]:
    """Return the lines of a table of names and facts."""
    return ["| | |", "|---|---|", *(f"| {key} | {cell(value)} |" for key, value in rows)]
