"""The reference data as assets: each of one version, not of months."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from glue_jobs.contracts.reference import CALENDAR
from taxi_assets.asset_keys import CALENDAR_KEY
from taxi_assets.assets.previews import as_table
from taxi_assets.assets.specs import table_spec
from taxi_assets.lake.reference import content_of, publish
from taxi_assets.lake.resource import LakeResource
from taxi_assets.reference import calendar as days

_WITHOUT_GAPS = dg.AssetCheckSpec(
    "has_each_day_once", asset=CALENDAR_KEY, description="A row for each day, in order, without gaps", blocking=True
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


def _gaps(rows: pa.Table) -> list[str]:
    """The days that are missing between the first and the last."""
    there = rows["date"].to_pylist()
    span = range((there[-1] - there[0]).days + 1)
    wanted = [there[0] + timedelta(days=number) for number in span]
    return [str(day) for day in wanted if day not in set(there)] if wanted != there else []
