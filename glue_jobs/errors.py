"""Errors that a job ends with on purpose, written for the person who reads them."""

from __future__ import annotations


class InputError(Exception):
    """The input cannot be used. ``problem`` names the file or month and what is wrong, ``remedy`` what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. What to do: {remedy}.")
        self.problem, self.remedy = problem, remedy


class NotPublishedYet(InputError):
    """The source has no file for the month yet (the TLC publishes 38 to 63 days after a month's end)."""
