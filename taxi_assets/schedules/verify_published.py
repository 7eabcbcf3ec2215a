"""Published months are checked again, without being built again: on demand, and each month.

Belongs here: the job and its schedule. Does not: what is asked (``taxi_assets.checks.verify``).
"""

from collections.abc import Iterator

import dagster as dg

from glue_jobs.errors import PipelineError
from taxi_assets.assets.publish import points_of, put, record_answers
from taxi_assets.assets.specs import RUNS_POOL
from taxi_assets.checks.verify import evaluations, published_months, verify
from taxi_assets.errors import failing_the_step
from taxi_assets.lake.resource import LakeResource
from taxi_assets.metrics.recorder import Metrics
from taxi_assets.partitions import Months

VERIFY_JOB = "verify_published"


@dg.op(pool=RUNS_POOL, description="Ask the checks of a month's published versions again.")
def check_published_month(
    context: dg.OpExecutionContext, lake: LakeResource, metrics: dg.ResourceParam[Metrics]
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Fails if a blocking check does not pass any more; nothing is changed, readers see what they saw."""
    with failing_the_step(then="run the job verify_published again"):
        opened, month = lake.open(), context.partition_key
        verified = verify(opened, month)
        record_answers(context, opened, verified.answers, verified.version)
        put(context, metrics, points_of(verified.answers))
        # As the run's own: of answers outside of any run, Dagster takes one for each month and check, ever.
        yield from evaluations(verified)
        held = len(verified.answers) - len(verified.failed)
        context.log.info(f"{month}: {held} of {len(verified.answers)} checks hold")
        if verified.failed:
            names = "; ".join(answer.in_words for answer in verified.failed)
            raise PipelineError(
                f"{month} is published and does not pass its checks any more: {names}. Readers see version "
                f"{verified.version}",
                "look at the checks' metadata; taxi-assets catalog check names files that are gone; taxi-assets run "
                f"--month {month} builds it again",
            )
        yield dg.Output(None)


def verify_published(months: Months) -> dg.JobDefinition:
    """The job that asks the checks of one of the ``months`` again."""

    @dg.job(
        name=VERIFY_JOB,
        partitions_def=months,
        description="The checks of a published month asked again; nothing is built.",
    )
    def job() -> None:
        check_published_month()

    return job


def verify_each_month(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """The schedule that runs ``job`` for each published month."""

    @dg.schedule(
        name="verify_each_month",
        job=job,
        cron_schedule="0 6 2 * *",
        execution_timezone="America/New_York",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Each month, the checks of every published month are asked again.",
    )
    def each_month(context: dg.ScheduleEvaluationContext, lake: LakeResource) -> Iterator[dg.RunRequest]:
        """One run for each published month that the pages have and of which the checks can be asked."""
        for month, why_not in published_months(lake.open()).items():
            if why_not:  # a run would only fail for it, each month again
                context.log.info(f"{month} {why_not}: its checks are asked when it was run again")
            elif job.partitions_def is not None and job.partitions_def.has_partition_key(month):
                yield dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m} {month}", partition_key=month)

    return each_month
