"""The jobs as functions, called in the tests' own process and session: a second or two, where a Dagster run takes ten.

Belongs here: calling a job, and what it wrote as a subject of checks. Does not: checks, or publishing.
The module of a job is looked up at each call, so that ``mutants.imported`` can put another one in its place.
"""

from __future__ import annotations

import importlib
from argparse import Namespace
from pathlib import Path
from typing import Any

from glue_jobs.contracts import CURATED_TABLES
from glue_jobs.reporting import Reporter
from taxi_assets.checks.curated import CuratedMonth
from taxi_assets.checks.staging.subject import StagedMonth


def call(job: str, function: str, **arguments: Any) -> dict[str, Any]:
    """The facts that ``function`` of ``glue_jobs.<job>`` reports. Needs the fixture ``in_process``."""
    module = importlib.import_module(f"glue_jobs.{job}")
    facts: dict[str, Any] = getattr(module, function)(Namespace(**arguments, spark_conf={}), Reporter())
    return facts


def ingest(month: str, source: str | Path, raw: str | Path) -> dict[str, Any]:
    """What ``ingest_raw`` reports of a month that it landed below ``raw``."""
    return call("ingest_raw", "ingest", month=month, source=str(source), zones_source="", mask_k=0, raw_dir=str(raw))


def stage(month: str, source: str | Path, zones: str | Path, folder: str | Path) -> StagedMonth:
    """The month as ``stage_trips`` writes it below ``folder``."""
    out = (f"{folder}/trips/month={month}/version=1", f"{folder}/quarantine/month={month}/version=1")
    facts = call(
        "stage_trips",
        "stage",
        month=month,
        trips=str(source),
        source_sha256="of no file",
        zones=str(zones),
        trips_out=out[0],
        quarantine_out=out[1],
    )
    return StagedMonth(month, str(source), str(zones), *out, facts)


def replay(before: StagedMonth, folder: str | Path) -> StagedMonth:
    """The month as ``replay_quarantine`` writes it below ``folder``."""
    out = (f"{folder}/trips/month={before.month}/version=1", f"{folder}/quarantine/month={before.month}/version=1")
    facts = call(
        "replay_quarantine",
        "replay",
        month=before.month,
        trips=before.trips,
        quarantine=before.quarantine,
        source_sha256="of no file",
        zones=before.zones,
        trips_out=out[0],
        quarantine_out=out[1],
    )
    return StagedMonth(before.month, before.source, before.zones, *out, facts)


def build(month: str, staging: str, folder: str | Path) -> CuratedMonth:
    """The five tables as ``build_curated`` writes them below ``folder`` from the trips in ``staging``."""
    tables = {name: f"{folder}/{name}" for name in CURATED_TABLES}
    call("build_curated", "build", month=month, staging=staging, outputs=tables)
    return CuratedMonth(month, staging, tables)
