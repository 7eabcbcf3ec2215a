"""The month's report as an asset: a page that is made when the month's tables are published, and opened from Dagster.

Belongs here: when it is made, where it lies, what its materialization says. Does not: what is on it
(``presentation.report``).
"""

from datetime import datetime, timezone

import dagster as dg

from glue_jobs.contracts import CURATED_TABLES
from glue_jobs.errors import PipelineError
from taxi_assets.asset_keys import REPORT, asset_key
from taxi_assets.assets.policies import follow
from taxi_assets.assets.specs import OWNERS, tags_of
from taxi_assets.errors import failing_the_step
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.paths import new_version
from taxi_assets.lake.resource import LakeResource
from taxi_assets.lake.texts import write_text
from taxi_assets.partitions import Months
from taxi_assets.presentation.answers import Answers, Row
from taxi_assets.presentation.report import Links, render
from taxi_assets.warehouse.resource import MemoryWarehouse

_TIMES = 3
"""How often it is begun again because something was published meanwhile."""


def write_report(months: Months, links: Links) -> dg.AssetsDefinition:
    """The step that writes the report of a month."""

    @dg.multi_asset(
        name="write_report",
        specs=[
            dg.AssetSpec(
                REPORT,
                # Not of the map: a source that has none leaves that step out, and Dagster all that depends on it.
                deps=[asset_key(table) for table in CURATED_TABLES.values()],
                description="The month as one HTML page that needs nothing else: figures, map, numbers as tables, what "
                "checks found, and the versions that it is of.",
                group_name=REPORT.path[0],
                kinds={"html", "plotly"},
                owners=OWNERS,
                tags=tags_of(REPORT.path[0]),
                automation_condition=follow(),
            )
        ],
        partitions_def=months,
    )
    def write(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult[None]:
        with failing_the_step("materialize dashboard/report of the month again"):
            return _write(context, lake.open(), links)

    return write


def _write(context: dg.AssetExecutionContext, lake: Lake, links: Links) -> dg.MaterializeResult[None]:
    month, version, now = context.partition_key, new_version(context.run_id), datetime.now(timezone.utc)
    page, row = _page(lake, month, links, now)
    path = lake.paths.report(month, version)
    write_text(path, page)
    signed = lake.presigned(path)
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.url(f"{links.dashboard_url}/reports/{month}/{version}"),
            **({"presigned_link": dg.MetadataValue.url(signed)} if signed else {}),
            "trips": row["trips"],
            "net_revenue_usd": float(row["net_revenue"]),
            "bytes": len(page.encode()),
            "dagster/uri": path,
        }
    )


def _page(lake: Lake, month: str, links: Links, now: datetime) -> tuple[str, Row]:
    """The page, and the month's row of ``analytics.monthly_summary``; of one state of the lake, unless each
    of so many attempts was overtaken by a publication.

    DuckDB answers on AWS as well: 15 questions are not worth the minute that a workgroup is billed for waking up.
    """
    with MemoryWarehouse().open(lake) as engine:
        answers = Answers(engine, lake)
        for _ in range(_TIMES):
            reader = answers.reader()
            rows = reader.ask("summary").only(month=month).dicts()
            if not rows:
                raise PipelineError(f"{month} is not published", "materialize the curated tables of the month first")
            page = render(reader, month, links, now)
            if not reader.is_overtaken():
                break
        return page, rows[0]
