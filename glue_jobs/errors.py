"""Errors that a job ends with on purpose, written for the person who reads them."""

from __future__ import annotations

DATA, SOURCE = "data", "source"
"""Causes. ``DATA``: the month's file was judged, and the same bytes will be refused again. ``SOURCE``: what was wanted
could not be had, which may pass."""


class InputError(Exception):
    """The input cannot be used. ``problem`` names the file or month and what is wrong, ``remedy`` what to do."""

    cause = DATA

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. What to do: {remedy}.")
        self.problem, self.remedy = problem, remedy


class SourceUnavailable(InputError):
    """The source did not give the file: out of reach, throttled, broken off, or not what belongs to the month."""

    cause = SOURCE


class NotPublishedYet(SourceUnavailable):
    """The source has no file for the month yet (the TLC publishes 38 to 63 days after a month's end)."""
