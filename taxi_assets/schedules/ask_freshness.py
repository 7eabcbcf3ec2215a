"""Whether each table is fresh is asked each day: no event says that a month did not come.

Belongs here: the schedule. Does not: what is asked (``checks.freshness``).
"""

import dagster as dg


def ask_freshness_each_day(checks: dg.AssetChecksDefinition, is_watched: bool) -> dg.ScheduleDefinition:
    """The schedule of ``checks``; it runs where the source is watched (``is_watched``): else no month is to come."""
    return dg.ScheduleDefinition(
        name="ask_freshness_each_day",
        job=dg.define_asset_job(
            "ask_freshness",
            selection=dg.AssetSelection.checks(checks),
            description="Whether each table has the month that it should have by now.",
        ),
        cron_schedule="0 7 * * *",
        execution_timezone="America/New_York",
        default_status=dg.DefaultScheduleStatus.RUNNING if is_watched else dg.DefaultScheduleStatus.STOPPED,
        description="Each day, whether a month is overdue.",
    )
