"""The reference data as assets: each of one version, not of months."""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from glue_jobs.contracts import CALENDAR, ZONES, tlc
from glue_jobs.contracts.raw import ALL_MONTHS, SHAPES_DATASET, ZONES_DATASET
from glue_jobs.errors import InputError, SourceUnavailable
from glue_jobs.files import land_by_content, open_file_system, parse_zones
from glue_jobs.sources import Fetched, open_source
from taxi_assets.asset_keys import CALENDAR_KEY, RAW_ZONES, ZONES_KEY
from taxi_assets.assets.previews import PREVIEW_ROWS, as_table
from taxi_assets.assets.specs import table_spec
from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.reference import Asking, asked, content_of, note_asking, publish
from taxi_assets.lake.resource import LakeResource, SourceResource
from taxi_assets.reference import calendar as days
from taxi_assets.reference import zones as of_zones

_WITHOUT_GAPS = dg.AssetCheckSpec(
    "has_each_day_once", asset=CALENDAR_KEY, description="A row for each day, in order, without gaps", blocking=True
)
_CAN_BE_DRAWN = dg.AssetCheckSpec(
    "shapes_can_be_drawn",
    asset=ZONES_KEY,
    description="Each zone once; each shape valid, in New York, and no longer than Redshift reads",
    blocking=True,
)
_CAN_BE_READ = dg.AssetCheckSpec(
    "the_map_can_be_read", asset=ZONES_KEY, description="What the source has as the map of zones is one"
)


@dg.multi_asset(
    name="calendar",
    specs=[
        table_spec(CALENDAR, None, [], {"iceberg"}),
    ],
    check_specs=[_WITHOUT_GAPS],
)
def calendar(lake: LakeResource) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """Make the calendar, and publish it if it is not what is published already."""
    rows = days.rows(datetime.now(ZoneInfo("America/New_York")).date())
    missing = _gaps(rows)
    yield dg.AssetCheckResult(
        passed=not missing,
        check_name=_WITHOUT_GAPS.name,
        asset_key=CALENDAR_KEY,
        metadata={"missing": ", ".join(missing) or "none", "days": rows.num_rows},
    )
    if missing:
        raise dg.Failure(
            f"reference.calendar lacks {missing[0]} and {len(missing) - 1} other days; readers see what they saw"
        )
    opened = lake.open()
    changed = publish(opened.catalog, CALENDAR, rows)
    special = rows.filter(pc.or_(pc.is_valid(rows["event"]), pc.equal(rows["hours_in_day"], 23)))
    yield dg.MaterializeResult(
        asset_key=CALENDAR_KEY,
        metadata={
            "days": rows.num_rows,
            "holidays": pc.sum(rows["is_holiday"]).as_py(),
            "from": str(rows["date"][0]),
            "to": str(rows["date"][-1]),
            "was_published": "with this run" if changed else "before, with the same content",
            "dagster/row_count": rows.num_rows,
            "preview": as_table(CALENDAR, special.to_pandas()),
            "sha256": content_of(rows),
        },
    )


class ZonesConfig(dg.Config):
    """What can be typed in the launchpad."""

    days: int = Field(30, ge=0, description="Ask the source again if it was asked longer ago; 0 asks it now.")


@dg.multi_asset(
    name="zones",
    specs=[table_spec(ZONES, None, [RAW_ZONES], {"iceberg"})],
    check_specs=[_CAN_BE_DRAWN, _CAN_BE_READ],
)
def zones(
    context: dg.AssetExecutionContext, config: ZonesConfig, lake: LakeResource, source: SourceResource
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """Fetch and land the shapes of the zones, and publish them if they are not what is published already.

    They change once in years, so that runs of months ask the source again only after ``config.days``, or when the
    lookup of zones has changed, whose names and boroughs the rows have. A source without them, as a folder may be,
    holds no month back: readers see the shapes that they saw.
    """
    opened = lake.open()
    lookups = opened.ledger.all_current(ZONES_DATASET)
    lookup = lookups[-1].sha256 if lookups else ""
    before = asked(opened.catalog, ZONES)
    if before is not None and before.made_of == lookup and _now() - before.at < timedelta(days=config.days):
        yield from _not_asked(f"not asked again: the source was asked on {before.at:%Y-%m-%d}")
        yield dg.MaterializeResult(asset_key=ZONES_KEY, metadata={"was_published": "before"})
        return
    with tempfile.TemporaryDirectory(prefix="zones-") as folder:
        file = Path(folder, tlc.SHAPES_FILE_NAME)
        try:
            fetched = open_source(source.spec).fetch_shapes(file, lambda *_: None)
            table = of_zones.rows(file, _read(lookups), fetched.url)
        except SourceUnavailable as error:
            context.log.warning("No shapes of zones, readers see those that they saw: %s", error.sentence)
            yield from _not_asked(f"not asked, the source has no map: {error.sentence}")
            return
        except InputError as error:
            yield _checked(_CAN_BE_READ, [error.sentence])
            yield _checked(_CAN_BE_DRAWN, [], "not asked: there is no new map")
            return
        yield _checked(_CAN_BE_READ, [])
        wrong = of_zones.faults(table)
        yield _checked(_CAN_BE_DRAWN, wrong)
        if wrong:
            raise dg.Failure(f"reference.zones is not published: {wrong[0]}; readers see what they saw")
        landed = _land(opened, file, fetched, table.num_rows, context.run_id)
    changed = publish(opened.catalog, ZONES, table)
    note_asking(opened.catalog, ZONES, Asking(_now(), lookup))
    without = table.filter(pc.is_null(table["shape"]))
    yield dg.MaterializeResult(
        asset_key=ZONES_KEY,
        metadata={
            "zones": table.num_rows,
            "without_shape": ", ".join(map(str, without["location_id"].to_pylist())),
            "km2": round(pc.sum(table["area_km2"]).as_py() or 0.0, 1),
            "was_published": "with this run" if changed else "before, with the same content",
            "dagster/row_count": table.num_rows,
            "preview": as_table(ZONES, _without_points(table.slice(0, PREVIEW_ROWS).to_pandas())),
            "source": landed.url,
            "sha256": landed.sha256,
            "dagster/uri": landed.path,
        },
    )


def _without_points(zones: pd.DataFrame) -> pd.DataFrame:
    """Shapes as the length of their text."""
    lengths = zones["shape"].str.len()
    shown: pd.DataFrame = zones.assign(shape=[f"{length:,.0f} characters" for length in lengths])
    return shown


def _not_asked(why: str) -> Iterator[dg.AssetCheckResult]:
    """Answers all the same: a check that is due and gives none is shown as failed."""
    yield _checked(_CAN_BE_READ, [], why)
    yield _checked(_CAN_BE_DRAWN, [], why)


def _checked(check: dg.AssetCheckSpec, faults: list[str], else_: str = "as it should be") -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not faults,
        check_name=check.name,
        asset_key=ZONES_KEY,
        severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
        metadata={"actual": "\n".join(faults) or else_},
    )


def _read(lookups: Sequence[LandedFile]) -> of_zones.Lookup:
    """The newest lookup of zones; SourceUnavailable if none was landed."""
    if not lookups:
        raise SourceUnavailable("no lookup of zones was landed yet", "land a month first")
    system, path = open_file_system(lookups[-1].path)
    with system.open_input_stream(path) as stream:
        return parse_zones(stream.read(), lookups[-1].path)


def _land(lake: Lake, file: Path, fetched: Fetched, rows: int, run_id: str) -> LandedFile:
    """Land the map file in a folder named after its content, and enter it in the ledger."""
    path, digest = land_by_content(file, f"{lake.paths.raw}/dataset={SHAPES_DATASET}")
    facts = {"url": fetched.url, "path": path, "etag": fetched.etag, "sha256": digest, "bytes": file.stat().st_size}
    facts |= {"rows": rows, "physical_schema": {}}
    return lake.ledger.record(ALL_MONTHS, SHAPES_DATASET, facts, run_id)


def _now() -> datetime:
    """UTC without a zone, as the ledger has it."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


def _gaps(rows: pa.Table) -> list[str]:
    """The days that are missing between the first and the last."""
    there = rows["date"].to_pylist()
    span = range((there[-1] - there[0]).days + 1)
    wanted = [there[0] + timedelta(days=number) for number in span]
    return [str(day) for day in wanted if day not in set(there)] if wanted != there else []
