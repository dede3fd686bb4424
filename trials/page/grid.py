"""A table of a page: cells as they are read, numbers with equally many digits below each other."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

DIGITS = 4
MOST_ROWS = 500
"Beyond that, a page refers to the CSV file."
MINUS = "\N{MINUS SIGN}"
"As wide as a plus."
NUMBER = re.compile(rf"[+{MINUS}-]?\d+(\.\d+)?(e[+-]?\d+)?")


@dataclass(frozen=True)
class Grid:
    """Cells as text under headings; the first `labels` columns name a row, `source` is the file that holds it all.

    `notes` stand below, counted from 1, so that a long one takes no column's room.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int = 1
    source: str = ""
    notes: Sequence[str] = ()

    @classmethod
    def filled(
        cls,
        caption: str,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        labels: int,
        source: str,
        notes: Sequence[str] = (),
    ) -> "Grid":
        """A table without the columns that no row fills."""
        kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
        head, *rows = ([cells[index] for index in kept] for cells in (head, *rows))
        return cls(caption, head, rows, sum(index < labels for index in kept), source, notes)

    @property
    def shown(self) -> Sequence[Sequence[str]]:
        return self.rows[:MOST_ROWS]

    @cached_property
    def numeric(self) -> Sequence[bool]:
        """By column: whether every cell is a number or an interval, or empty."""
        return [all(map(is_numeric, column)) for column in zip(*self.rows, strict=True)]


def is_numeric(text: str) -> bool:
    """Whether the text is empty or made of numbers alone, as `0.5`, `0.4 to 0.6`, `3 of 10` or `0.5 (0.4 to 0.6)`."""
    return all(NUMBER.fullmatch(part) for part in re.split(r" to | of | \(|\)", text) if part)


def number(cell: str | float | None, digits: int = DIGITS, sign: bool = False) -> str:
    """A cell of a CSV file with that many digits behind the point; nothing where there is nothing."""
    if cell is None or cell == "":
        return ""
    return f"{float(cell):{'+' if sign else ''}.{digits}f}".replace("-", MINUS)


def between(low: str | float | None, high: str | float | None, sign: bool = False) -> str:
    """An interval's ends; nothing where it cannot be had."""
    return " to ".join(text for text in (number(low, sign=sign), number(high, sign=sign)) if text)


def different(texts: Iterable[str]) -> list[str]:
    """The notes of a table, each once."""
    return list(dict.fromkeys(text for text in texts if text))


def mark(text: str, notes: Sequence[str]) -> str:
    """The place of a note below its table; nothing for none."""
    return str(notes.index(text) + 1) if text else ""
