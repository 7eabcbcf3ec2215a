"""The browser that tests drive.

Belongs here: finding it. Does not: any page.
"""

from __future__ import annotations

import shutil

import pytest

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def chromium_program() -> str:
    """The path of a Chromium; the test is skipped if there is none."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        # A browser comes by no pip, and a user may have none; CI installs one, and takes a skip for a failure.
        pytest.skip(f"none of {', '.join(_PROGRAMS)} is installed")
    return program
