"""Jobs do not outlive the Dagster runs that they work for, nor runs the processes that execute them.

Belongs here: looking, and whose jobs are to be stopped. Does not: stopping them (``jobs``), or telling which runs have
lost their process (``lost_runs``).

A worker that is interrupted stops its Glue run itself. One that is killed, or lost with its machine, cannot: once its
Dagster run has ended (run monitoring sees to that, or somebody in the UI), this sensor stops what it left running.
It looks at what runs instead of waiting for an event, so that a look that failed is made good by the next.
"""

import dagster as dg

from taxi_assets.jobs.base import Jobs
from taxi_assets.lost_runs import report_lost


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Stops jobs whose Dagster run has ended; reports runs whose process was killed as failed.",
)
def stop_lost_jobs(context: dg.SensorEvaluationContext, jobs: dg.ResourceParam[Jobs]) -> dg.SkipReason:
    """Stop what is left; a run of another instance is not known here and is left alone."""
    killed = report_lost(context.instance)

    def has_ended(run_id: str) -> bool:
        run = context.instance.get_run_by_id(run_id)
        return run is not None and run.is_finished

    stopped = jobs.stop_lost(has_ended)
    said = [f"reported as failed: {run}" for run in killed] + [f"stopped {job}" for job in stopped]
    return dg.SkipReason("; ".join(said) or "no job is lost")
