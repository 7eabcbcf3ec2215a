"""The one error of this project: what went wrong and what to do, for the person who reads it.

Belongs here: the error, its causes, how it travels as data. Does not: how Dagster, PyIceberg or AWS are turned into it
(``taxi_assets.errors``, ``taxi_assets.lake.catalog``, ``taxi_assets.aws.client``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves a terminal's cursor, breaks or turns a line, or cannot be written as UTF-8."""
_LONGEST = 4_000


def has_control(text: str) -> bool:
    """Whether ``text`` has a character that cannot be shown in a line."""
    return _CONTROL.search(text) is not None


def in_a_line(text: str, longest: int = _LONGEST) -> str:
    """``text`` as it can be shown in a line: control characters written out, the end of a long one left out."""
    line = re.sub(r"\s*[\r\n]+\s*", " ", text.strip())
    line = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), line)
    return line if len(line) <= longest else f"{line[:longest]}…"


class Cause(str, Enum):
    """What a failure is due to. ``DATA`` alone comes again as often as it is tried: only other code can change it."""

    DATA = "data"
    """The month's file was judged: the same bytes will be refused again."""
    SOURCE = "source"
    """What was wanted could not be had: the source is out of reach, throttles, or has something else in its place."""
    LANDING = "landing"
    """The landed file is not what was fetched; no trip was judged."""
    ORDER = "order"
    """Something else has to be done first, such as landing or staging the month."""
    CONFLICT = "conflict"
    """Another run was quicker."""
    LAKE = "lake"
    """The catalog or the files of the lake cannot be read or written."""
    AWS = "aws"
    """AWS did not do what it was told to."""
    DAGSTER = "dagster"
    """The Dagster instance cannot be used."""
    ENGINE = "engine"
    """The Spark engine cannot be started or reached."""
    INTERRUPTED = "interrupted"
    """Somebody stopped it."""
    UNKNOWN = "unknown"
    """Nobody foresaw it."""


class PipelineError(Exception):
    """``problem`` names the file or month and what is wrong, ``remedy`` what to do; both without a full stop.

    Both may quote what came from outside, such as a column's name: they are shown as ``in_a_line`` does.
    ``may_pass``: whether the same thing may succeed later without anybody changing anything but the surroundings.
    ``detail`` is more for whoever looks into it, such as the last lines of a log; it is not part of the sentence.
    ``facts`` are numbers and links beside it, for a page that can show them; they do not travel in a report.
    """

    cause: Cause = Cause.UNKNOWN

    def __init__(
        self,
        problem: str,
        remedy: str,
        *,
        cause: Cause | None = None,
        may_pass: bool | None = None,
        detail: str = "",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(problem, remedy)
        self.problem, self.remedy = (in_a_line(text).rstrip(".") for text in (problem, remedy))
        self.detail = detail
        self.facts: Mapping[str, Any] = facts or {}
        if cause is not None:
            self.cause = cause
        self.may_pass = self.cause is not Cause.DATA if may_pass is None else may_pass

    @property
    def sentence(self) -> str:
        """What went wrong and what to do, in one place for all that is printed, logged and sent."""
        return f"{self.problem}. What to do: {self.remedy}." if self.remedy else f"{self.problem}."

    def __str__(self) -> str:
        """The sentence, then the detail on lines of its own."""
        return f"{self.sentence}\n{self.detail}" if self.detail else self.sentence

    def as_report(self) -> dict[str, Any]:
        """The error as JSON types: problem, remedy, cause, may_pass, detail."""
        return {
            "problem": self.problem,
            "remedy": self.remedy,
            "cause": self.cause.value,
            "may_pass": self.may_pass,
            "detail": self.detail,
        }

    @staticmethod
    def from_report(report: Mapping[str, Any]) -> PipelineError:
        """The error that ``as_report`` described; a cause that this version does not know is ``UNKNOWN``."""
        known = {cause.value: cause for cause in Cause}
        return PipelineError(
            str(report["problem"]),
            str(report["remedy"]),
            cause=known.get(str(report.get("cause")), Cause.UNKNOWN),
            may_pass=report.get("may_pass"),
            detail=str(report.get("detail", "")),
        )


class InputError(PipelineError):
    """The month's file cannot be used."""

    cause = Cause.DATA


class SourceUnavailable(InputError):
    """The source did not give the file: out of reach, throttled, broken off, or not what belongs to the month."""

    cause = Cause.SOURCE


class NotPublishedYet(SourceUnavailable):
    """The source has no file for the month yet (the TLC publishes 38 to 63 days after a month's end)."""
