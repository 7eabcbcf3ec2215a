"""The tables are kept small, each week.

Belongs here: the job and its schedule. Does not: what is done to a table (``taxi_assets.lake.maintenance``).
"""

from dataclasses import asdict
from datetime import datetime, timezone

import dagster as dg

from taxi_assets.errors import failing_the_step
from taxi_assets.lake.maintenance import maintain, time_by_commits
from taxi_assets.lake.resource import LakeResource


@dg.op(description="Put the logs' small files together, expire snapshots, delete files that no snapshot needs.")
def maintain_each_table(context: dg.OpExecutionContext, lake: LakeResource) -> None:
    """What was done to each table is a row of the output's metadata; queries answer as before."""
    done = []
    with failing_the_step(then="run the job maintain_tables again"):
        catalog = lake.open().catalog
        for table in maintain(catalog, time_by_commits(catalog, datetime.now(timezone.utc))):
            context.log.info(f"{table.table}: {table}")
            done.append(dg.TableRecord(asdict(table)))
    context.add_output_metadata({"tables": dg.MetadataValue.table(done) if done else "there is no table yet"})


@dg.job(description="Small files of the logs put together, old snapshots expired; no query answers differently.")
def maintain_tables() -> None:
    """See ``maintain_each_table``."""
    maintain_each_table()


maintain_each_week = dg.ScheduleDefinition(
    name="maintain_each_week",
    job=maintain_tables,
    cron_schedule="0 5 * * 0",
    execution_timezone="America/New_York",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Each Sunday, the tables are kept small.",
)
