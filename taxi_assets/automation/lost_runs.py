"""Jobs do not outlive the Dagster runs that they work for.

Belongs here: noticing that a run has ended. Does not: stopping its jobs (``resources.jobs``).

A worker that is interrupted stops its Glue run itself. One that is killed, or lost with its machine, cannot: Dagster's
run monitoring then ends the run, and these sensors stop what it left running.
"""

import dagster as dg

from taxi_assets.resources.jobs import Jobs


def _sensor(status: dg.DagsterRunStatus, name: str) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=status,
        name=name,
        description="Stops the jobs that a run left running when it ended.",
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sensor(context: dg.RunStatusSensorContext, jobs: dg.ResourceParam[Jobs]) -> None:
        for stopped in jobs.stop_runs_of(context.dagster_run.run_id):
            context.log.warning(f"stopped {stopped}, which run {context.dagster_run.run_id} left behind")

    return sensor


stop_jobs_of_failed_runs = _sensor(dg.DagsterRunStatus.FAILURE, "stop_jobs_of_failed_runs")
stop_jobs_of_canceled_runs = _sensor(dg.DagsterRunStatus.CANCELED, "stop_jobs_of_canceled_runs")
