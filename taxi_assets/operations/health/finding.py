"""How a check answers: a level, what it found, how to repair it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

_SHOWN_OF_AN_ERROR = 300


class Level(str, Enum):
    """How a check answers. Only ``FAIL`` is for somebody to be woken up."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing that a check found, and how to repair it if it is not ok."""

    level: Level
    found: str
    repair: str = ""


@dataclass(frozen=True)
class Line:
    """A finding with the name of its check."""

    check: str
    level: Level
    found: str
    repair: str


def short(text: str) -> str:
    """An error in one line, cut if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_OF_AN_ERROR else f"{line[:_SHOWN_OF_AN_ERROR]}…"


def more(count: int) -> str:
    """How many findings of a kind there are beside the one that is shown; empty for none."""
    return f" (and {count} more)" if count else ""
