"""Where raw files come from: the TLC's site, a folder laid out like it, or a generator of synthetic months.

Belongs here: fetching one file of a month to the local disk. Does not: checking or landing it (``ingest_raw``).
"""

from __future__ import annotations

from glue_jobs.errors import InputError
from glue_jobs.sources.base import Fetched, Progress, Source
from glue_jobs.sources.folder import FolderSource
from glue_jobs.sources.http import HttpSource
from glue_jobs.sources.synthetic import SyntheticSource

__all__ = ["Fetched", "Progress", "Source", "open_source"]


def open_source(spec: str) -> Source:
    """The source that ``spec`` names.

    ``https://…`` is a site in the TLC's layout, ``synthetic`` or ``synthetic:rows=50000,seed=1`` the generator,
    anything else a folder in the TLC's layout. InputError if it is none of these.
    """
    if spec.startswith(("http://", "https://")):
        return HttpSource(spec)
    if spec == "synthetic" or spec.startswith("synthetic:"):
        return SyntheticSource.from_spec(spec)
    if "://" in spec and not spec.startswith("file://"):
        raise InputError(f"{spec} is no source", "give a https:// address, a folder, or synthetic:rows=50000,seed=1")
    return FolderSource(spec)
