"""Points that are put, read back: from the table with SQL, from CloudWatch as alarms read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from glue_jobs.contracts import CURATED_TABLES, TRIPS
from taxi_assets.asset_keys import QUARANTINE_KEY, RAW_TRIPS, RAW_ZONES, STAGING_TRIPS, asset_key
from taxi_assets.aws.cloudwatch import CloudWatchMetrics
from taxi_assets.definitions import MONTH_JOB, build_definitions, metrics_of
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.metrics.names import CHECKS_WARNED, HEARTBEAT, JOB_SECONDS, NAMESPACE, ROWS_QUARANTINED, Point
from taxi_assets.metrics.recorder import Metrics, NotTaken, TableMetrics
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.settings import Profile, Settings
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.emulators.aws import REGION, AwsEmulator

pytestmark = pytest.mark.emulator

POINTS = [Point(ROWS_QUARANTINED, 21), Point(JOB_SECONDS, 6.5, "stage_trips"), Point(CHECKS_WARNED, 0, "raw/trips")]
CURATED = [asset_key(table) for table in CURATED_TABLES.values()]


def kept_in(lake: Path, run_id: str) -> dict[tuple[str, str], float]:
    """Metric, and asset or job, to value, of a run."""
    with Lake.in_folder(lake).connect() as connection:
        rows = connection.execute(
            "SELECT metric, asset || job, value FROM quality.run_metrics WHERE run_id = ?", [run_id]
        ).fetchall()
    found = {(metric, of): value for metric, of, value in rows}
    assert len(found) == len(rows)
    return found


def in_cloudwatch(aws: AwsEmulator, name: str, **dimensions: str) -> list[float]:
    """The values that an alarm on the metric sees."""
    now = datetime.now(timezone.utc)
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=name,
        Dimensions=[{"Name": dimension, "Value": value} for dimension, value in dimensions.items()],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=7200,
        Statistics=["Sum"],
    )["Datapoints"]
    return [point["Sum"] for point in points]


@pytest.fixture(scope="module")
def few_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source whose month has three days."""
    folder = tmp_path_factory.mktemp("few_days")
    write_source(folder, MONTH, days=3)
    return folder


def test_every_run_leaves_its_rows_checks_seconds_and_freshness_in_the_table(
    published: tuple[Path, MonthResult],
) -> None:
    lake, result = published
    found = kept_in(lake, result.run_id)
    assert result.published_rows is not None
    assert result.quarantined_rows is not None
    assert found["RowsPublished", "raw/trips"] == result.source_rows
    assert found["RowsPublished", "staging/trips"] == result.published_rows
    assert found["RowsQuarantined", ""] == result.quarantined_rows
    assert found["QuarantinedShare", ""] == 100 * result.quarantined_rows / result.source_rows
    for name, table in result.tables.items():
        assert found["RowsPublished", f"curated/{name}"] == table.rows
    checked = {of for metric, of in found if metric == "ChecksFailed"}
    keys = [RAW_TRIPS, RAW_ZONES, STAGING_TRIPS, QUARANTINE_KEY, *CURATED]
    assert checked == {key.to_user_string() for key in keys}
    assert sum(value for (metric, _), value in found.items() if metric == "ChecksFailed") == 0
    for job in ("ingest_raw", "stage_trips", "build_curated"):
        assert 0 < found["JobSeconds", job] <= result.seconds[job]
    assert found["DataAgeDays", ""] > 365
    assert found["MonthsBehind", ""] >= 12
    assert not any(metric == "EstimatedCostUsd" for metric, _ in found)


def test_a_run_that_publishes_nothing_still_says_what_its_checks_found(
    run: Callable[..., MonthResult], few_days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from taxi_assets.assets import publish
    from taxi_assets.checks import check
    from taxi_assets.checks.staging.registry import CHECKS

    def nothing_passes(checks: Any, *rest: Any) -> list[check.Answer]:
        if checks is not CHECKS:
            return check.ask_all(checks, *rest)
        outcome = check.Outcome(False, "good rows", "bad rows", "SELECT 1")
        return [
            check.Answer(STAGING_TRIPS, "reconciles", True, outcome),
            check.Answer(STAGING_TRIPS, "volume_is_usual", False, outcome),
        ]

    monkeypatch.setattr(publish, "ask_all", nothing_passes)
    result = run(tmp_path / "lake", few_days)
    assert not result.succeeded
    found = kept_in(tmp_path / "lake", result.run_id)
    assert (found["ChecksFailed", "staging/trips"], found["ChecksWarned", "staging/trips"]) == (1, 1)
    assert found["JobSeconds", "stage_trips"] > 0
    assert ("RowsPublished", "staging/trips") not in found


class NobodyTakesThem(Metrics):
    def put(self, points: Sequence[Point], month: str = "", run_id: str = "") -> None:
        raise NotTaken(f"{len(points)} points of {month} by run {run_id[:8]} are lost", "nothing")


def test_a_run_is_published_though_its_metrics_are_lost_which_its_log_says(
    engine: str, few_days: Path, tmp_path: Path
) -> None:
    settings = Settings(lake=str(tmp_path / "lake"), source=str(few_days), engine=engine)
    with dg.instance_for_test() as instance:
        done = (
            build_definitions(settings, {"metrics": NobodyTakesThem()})
            .resolve_job_def(MONTH_JOB)
            .execute_in_process(
                instance=instance,
                partition_key=MONTH,
                asset_selection=[RAW_TRIPS, RAW_ZONES, STAGING_TRIPS, QUARANTINE_KEY],
            )
        )
        said = [entry.user_message for entry in instance.all_logs(done.run_id)]
    assert done.success
    assert Lake.in_folder(tmp_path / "lake").publisher.live(TRIPS, MONTH) is not None
    lost = [line for line in said if f"of {MONTH} by run {done.run_id[:8]} are lost" in line]
    assert len(lost) == 2  # what the checks found and what was published, of two steps


def test_points_of_no_run_are_not_in_the_table(tmp_path: Path) -> None:
    TableMetrics(LakeResource(root=str(tmp_path))).put([Point(HEARTBEAT, 1)])
    assert not (tmp_path / "catalog.db").exists()


def test_a_table_that_cannot_be_written_says_so_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("no folder")
    with pytest.raises(NotTaken, match=r"RowsQuarantined, JobSeconds, ChecksWarned of 2024-02 are not in quality\."):
        TableMetrics(LakeResource(root=str(tmp_path / "lake"))).put(POINTS, MONTH, "run")


def test_only_on_aws_do_points_go_to_cloudwatch(tmp_path: Path) -> None:
    table = TableMetrics(LakeResource(root=str(tmp_path)))
    assert metrics_of(Settings(lake=str(tmp_path))) == table
    on_aws = metrics_of(Settings(profile=Profile.AWS, lake="s3://bucket", region="eu-west-1"))
    assert isinstance(on_aws, CloudWatchMetrics)
    assert on_aws.region == "eu-west-1"


@pytest.fixture
def both(aws: AwsEmulator, tmp_path: Path) -> CloudWatchMetrics:
    return CloudWatchMetrics(REGION, TableMetrics(LakeResource(root=str(tmp_path / "lake"))))


def test_cloudwatch_and_the_table_have_the_same_points(
    aws: AwsEmulator, both: CloudWatchMetrics, tmp_path: Path
) -> None:
    both.put(POINTS, MONTH, "run")
    assert in_cloudwatch(aws, "RowsQuarantined") == [21]
    assert in_cloudwatch(aws, "JobSeconds", Job="stage_trips") == [6.5]
    assert in_cloudwatch(aws, "ChecksWarned", Asset="raw/trips") == [0]
    assert kept_in(tmp_path / "lake", "run") == {
        ("RowsQuarantined", ""): 21,
        ("JobSeconds", "stage_trips"): 6.5,
        ("ChecksWarned", "raw/trips"): 0,
    }


def test_a_heartbeat_is_in_cloudwatch_alone(aws: AwsEmulator, both: CloudWatchMetrics, tmp_path: Path) -> None:
    both.put([Point(HEARTBEAT, 1)])
    assert in_cloudwatch(aws, "Heartbeat") == [1]
    assert not (tmp_path / "lake").exists()


def test_what_cloudwatch_refuses_is_in_the_table_all_the_same(
    aws: AwsEmulator, both: CloudWatchMetrics, tmp_path: Path
) -> None:
    aws.faults.fail("monitoring", "PutMetricData", "AccessDenied", "not allowed")
    try:
        with pytest.raises(NotTaken, match=r"are not in CloudWatch: .*What to do: give the role the action"):
            both.put(POINTS, MONTH, "run")
    finally:
        aws.faults.clear()
    assert len(kept_in(tmp_path / "lake", "run")) == len(POINTS)


def test_what_the_table_refuses_is_in_cloudwatch_all_the_same(aws: AwsEmulator, tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("no folder")
    metrics = CloudWatchMetrics(REGION, TableMetrics(LakeResource(root=str(tmp_path / "lake"))))
    with pytest.raises(NotTaken, match=r"are not in quality\.run_metrics"):
        metrics.put([Point(JOB_SECONDS, 3, "build_curated")], MONTH, "run")
    assert in_cloudwatch(aws, "JobSeconds", Job="build_curated") == [3]
