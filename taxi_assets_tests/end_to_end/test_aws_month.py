"""A month through the whole graph on the emulated AWS: Glue runs, S3, the Data Catalog, a real Dagster instance."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from glue_jobs.contracts import CURATED_TABLES, FILES, MONTHLY_TABLES, QUARANTINE, TABLES, TRIPS, tlc
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.alerts.notify import Message
from taxi_assets.asset_keys import RAW_TRIPS, STAGING_TRIPS, asset_key
from taxi_assets.aws.deploy import deploy
from taxi_assets.aws.raw_table import expected_columns
from taxi_assets.definitions import notifier_of
from taxi_assets.lake.catalog import comment, partition_spec
from taxi_assets.lake.catalog_check import bring_up_to_date, check_catalog
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.lake.status import lake_status
from taxi_assets.metrics.names import METRICS, NAMESPACE
from taxi_assets.operations.health import Level, examine
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.sensors.dropped_files.sensor import DROPS, dropped_files
from taxi_assets.sensors.heartbeat import last_heartbeat
from taxi_assets.settings import Profile, Settings
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.emulators.aws import ACCOUNT, JOBS, REGION, AwsEmulator, Role, deployed_name
from taxi_assets_tests.emulators.environment import acting_as
from taxi_assets_tests.emulators.glue_runs import JobRun
from taxi_assets_tests.emulators.recording import ApiCall
from taxi_assets_tests.end_to_end.test_month import different_rows
from taxi_assets_tests.sensors.test_heartbeat import tick as heartbeat_tick
from taxi_assets_tests.support.comparing import different_rows
from taxi_assets_tests.support.daemon import Clock, Daemon, execute, location_with
from taxi_assets_tests.support.tlc_site import TlcSite, serving
from taxi_assets_tests.support.waiting import wait_until

BUCKET = "taxi-lake"
API_CALLS = Path(__file__).parent.parent.parent / "infra" / "api-calls.json"
Run = Callable[..., MonthResult]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlcSite]:
    """A stand-in for the TLC's site with ``MONTH`` and the month before it."""
    folder = tmp_path_factory.mktemp("site")
    for month in ("2024-01", MONTH):
        write_source(folder, month)
    with serving(folder) as site:
        yield site


@pytest.fixture(scope="module")
def on_aws(
    aws: AwsEmulator, site: TlcSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, AwsEmulator]]:
    """Settings of the AWS profile and an emulator on which the jobs are deployed."""
    aws.provision(BUCKET, [deployed_name(job) for job in JOBS])
    settings = Settings(
        profile=Profile.AWS,
        lake=f"s3://{BUCKET}/lake",
        source=site.address,
        glue_poll_seconds=0.2,
        glue_retries=0,
    )
    with acting_as(aws.url, Role.DEPLOY):
        deploy(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(tmp_path_factory.mktemp("dagster_home")))
        yield settings, aws


def run_it(settings: Settings, month: str = MONTH) -> MonthResult:
    return run_month(settings, month, None, lambda *_: None)


def opened(settings: Settings) -> Lake:
    return LakeResource.of(settings).open()


def versions(settings: Settings) -> dict[str, str | None]:
    publisher = opened(settings).publisher
    live = {name: publisher.live(table, MONTH) for name, table in MONTHLY_TABLES.items()}
    return {name: entry.version if entry else None for name, entry in live.items()}


@pytest.fixture(scope="module")
def published(on_aws: tuple[Settings, AwsEmulator]) -> tuple[Settings, AwsEmulator, MonthResult]:
    """The month, published once on AWS."""
    settings, aws = on_aws
    result = run_it(settings)
    assert result.succeeded, result.error
    return settings, aws, result


def test_the_month_on_aws_is_the_month_on_a_laptop_row_for_row(
    published: tuple[Settings, AwsEmulator, MonthResult], run: Run, site: TlcSite, tmp_path: Path
) -> None:
    settings, _, on_aws = published
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME")
        on_laptop = run(tmp_path / "lake", site.address)
    assert on_laptop.succeeded, on_laptop.error
    assert on_aws.checks == on_laptop.checks
    assert len(on_aws.estimated_cost_usd) == 3  # a Glue run for each layer
    assert on_laptop.estimated_cost_usd == {}
    assert on_aws.quarantine_reasons == on_laptop.quarantine_reasons
    for table in MONTHLY_TABLES.values():
        there = opened(settings).publisher.live(table, MONTH)
        here = Lake.in_folder(tmp_path / "lake").publisher.live(table, MONTH)
        assert there is not None
        assert here is not None
        assert (there.rows, there.lineage["contract_version"]) == (here.rows, here.lineage["contract_version"])
        assert different_rows(there.path, here.path) == 0


def test_each_materialization_shows_its_glue_run_its_cost_and_its_place_in_the_catalog(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    _, aws, _ = published
    keys = {
        "taxi-ingest-raw": [RAW_TRIPS],
        "taxi-stage-trips": [STAGING_TRIPS],
        "taxi-build-curated": [asset_key(table) for table in CURATED_TABLES.values()],
    }
    with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
        for job, assets in keys.items():
            for key in assets:
                event = instance.get_latest_materialization_event(key)
                assert event is not None
                assert event.asset_materialization is not None
                shown: dict[str, Any] = {
                    name: value.value for name, value in event.asset_materialization.metadata.items()
                }
                assert shown["glue_run_id"] in [run.id for run in aws.runs(job)]
                assert shown["estimated_cost_usd"] > 0
                assert shown["dpu_seconds"] >= 120
                assert {"seconds_queued", "seconds_running", "worker_type", "workers", "logs", "glue_run"} <= set(shown)
                if key != RAW_TRIPS:
                    database = f"taxi_{key.path[0]}"
                    assert shown["dagster/table_name"] == f"{database}.{key.path[1]}"
                    assert f"tables/view/{key.path[1]}?database={database}" in str(shown["catalog"])
                    assert re.fullmatch("[0-9a-f]{16}", str(shown["code_version"]))


def test_glue_shows_every_table_as_its_contract_says(published: tuple[Settings, AwsEmulator, MonthResult]) -> None:
    settings, aws, _ = published
    for table in TABLES.values():
        shown = aws.client("glue").get_table(DatabaseName=f"taxi_{table.layer}", Name=table.name)["Table"]
        assert shown["Parameters"]["table_type"] == "ICEBERG"
        assert shown["Description"] == table.description
        columns = shown["StorageDescriptor"]["Columns"]
        assert [column["Name"] for column in columns] == list(table.column_names)
        for column, contract in zip(columns, table.columns, strict=True):
            assert column["Comment"] == comment(contract)
            assert column["Type"] == {"timestamp_ntz": "timestamp"}.get(contract.type.value, contract.type.value)
            assert column["Parameters"]["iceberg.field.id"] == str(contract.field_id)
        assert opened(settings).catalog.open(table).spec().fields == partition_spec(table).fields
    assert check_catalog(opened(settings)) == []


def test_the_raw_file_is_a_plain_table_with_one_partition_a_month(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    settings, aws, result = published
    shown = aws.client("glue").get_table(DatabaseName="taxi_raw", Name="trips")["Table"]
    assert "table_type" not in shown["Parameters"]  # no Iceberg: any reader of Hive tables reads it
    assert {c["Name"]: c["Type"] for c in (*shown["StorageDescriptor"]["Columns"], *shown["PartitionKeys"])} == (
        expected_columns()
    )
    [partition] = aws.client("glue").get_partitions(DatabaseName="taxi_raw", TableName="trips")["Partitions"]
    assert partition["Values"] == MONTH.split("-")
    assert partition["Parameters"]["rows"] == str(result.source_rows)
    file = opened(settings).ledger.current(MONTH, TRIPS_DATASET)
    assert file is not None
    prefix = partition["StorageDescriptor"]["Location"].removeprefix(f"s3://{BUCKET}/")
    [content] = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
    assert f"s3://{BUCKET}/{content['Key']}" == file.path
    head = aws.client("s3").head_object(Bucket=BUCKET, Key=content["Key"], ChecksumMode="ENABLED")
    assert head["Metadata"]["sha256"] == file.sha256
    assert head["ChecksumSHA256"]


def test_lineage_leads_from_a_curated_table_to_the_staging_snapshot_and_the_glue_run(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    lake = opened(published[0])
    staging = lake.publisher.live(TRIPS, MONTH)
    assert staging is not None
    assert staging.lineage["glue_run_id"].startswith("jr_")
    for table in CURATED_TABLES.values():
        curated = lake.publisher.live(table, MONTH)
        assert curated is not None
        assert curated.lineage["staging_snapshot_id"] == str(staging.snapshot_id)
        assert curated.lineage["code_version"] == staging.lineage["code_version"]


def test_spark_of_the_jobs_writes_its_event_logs_below_the_lake(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    arguments = published[1].runs("taxi-stage-trips")[0].arguments
    assert arguments["--enable-spark-ui"] == "true"
    assert arguments["--spark-event-logs-path"] == f"s3://{BUCKET}/lake/logs/spark-events/"


def test_what_differs_in_the_catalog_is_named_and_repaired(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    settings, aws, _ = published
    lake, glue = opened(settings), aws.client("glue")
    shown = glue.get_table(DatabaseName="taxi_curated", Name="daily_metrics")["Table"]
    taken = {name: shown[name] for name in ("Name", "TableType", "Parameters", "StorageDescriptor", "Description")}
    taken["StorageDescriptor"]["Columns"][2]["Comment"] = "tampered"
    glue.update_table(DatabaseName="taxi_curated", TableInput=taken)
    glue.delete_partition(DatabaseName="taxi_raw", TableName="trips", PartitionValues=MONTH.split("-"))
    column = CURATED_TABLES["daily_metrics"].columns[2].name
    faults = check_catalog(lake)
    assert {fault.table for fault in faults} == {"curated.daily_metrics", "raw.trips"}
    assert any(f"Glue shows {column} as" in fault.problem and "tampered" in fault.problem for fault in faults)
    assert {fault.repair for fault in faults} == {"taxi-assets catalog update"}
    assert bring_up_to_date(lake) == []
    assert check_catalog(lake) == []


def test_a_file_of_other_types_than_todays_is_not_in_the_plain_table(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    settings, aws, _ = published
    lake = opened(settings)
    file = lake.ledger.current(MONTH, TRIPS_DATASET)
    assert file is not None
    assert lake.raw_trips is not None
    earlier = replace(file, physical_schema=json.dumps({**json.loads(file.physical_schema), "VendorID": "int64"}))
    assert not lake.raw_trips.put(earlier)  # readers would refuse the whole table
    assert lake.raw_trips.locations() == {}
    shown = aws.client("glue").get_table(DatabaseName="taxi_raw", Name="trips")["Table"]
    fewer = {name: shown[name] for name in ("Name", "TableType", "PartitionKeys", "StorageDescriptor", "Parameters")}
    fewer["StorageDescriptor"]["Columns"].pop()
    aws.client("glue").update_table(DatabaseName="taxi_raw", TableInput=fewer)
    assert [fault.problem for fault in check_catalog(lake)] == [
        "the plain table over the raw files is missing, or has other columns"
    ]
    assert bring_up_to_date(lake) == []
    assert lake.raw_trips.columns() == expected_columns()
    assert check_catalog(lake) == []


def test_the_quarantine_of_a_month_can_be_replayed(published: tuple[Settings, AwsEmulator, MonthResult]) -> None:
    settings, aws, first = published
    result = run_month(settings, MONTH, ["daily_metrics"], lambda *_: None, replay=True)
    assert result.succeeded, result.error
    assert (result.released_rows, result.published_rows) == (0, first.published_rows)
    assert aws.runs("taxi-replay-quarantine")[0].state == "SUCCEEDED"
    assert run_it(settings).succeeded


def test_a_live_file_that_is_gone_is_named(published: tuple[Settings, AwsEmulator, MonthResult]) -> None:
    settings, aws, _ = published
    lake = opened(settings)
    file = lake.publisher.files(CURATED_TABLES["daily_metrics"])[0]
    key = file.removeprefix(f"s3://{BUCKET}/")
    content = aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    aws.client("s3").delete_object(Bucket=BUCKET, Key=key)
    [fault] = check_catalog(lake)
    assert fault.problem == f"{MONTH}: {file} is gone"
    assert f"taxi-assets rollback curated.daily_metrics {MONTH}" in fault.repair
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)
    assert check_catalog(lake) == []


def test_a_republished_month_moves_the_plain_table_to_the_new_file(
    published: tuple[Settings, AwsEmulator, MonthResult], site: TlcSite
) -> None:
    settings = published[0]
    before = versions(settings)
    write_source(site.folder, MONTH, seed=2)
    result = run_it(settings)
    assert result.succeeded, result.error
    assert not set(before.values()) & set(versions(settings).values())
    lake = opened(settings)
    assert lake.catalog.open(FILES).scan(row_filter=f"dataset == '{TRIPS_DATASET}'").to_arrow().num_rows == 2
    assert check_catalog(lake) == []  # one partition, which points at the new content
    lake.publisher.roll_back(QUARANTINE, MONTH)
    assert lake.publisher.roll_back(TRIPS, MONTH).version == before["staging.trips"]


def test_an_error_of_s3_while_a_job_writes_publishes_nothing(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    settings, aws, _ = published
    before = versions(settings)
    for action in ("PutObject", "CreateMultipartUpload"):
        aws.faults.fail("s3", action, "AccessDenied", "Access Denied", 403, 50, resource_contains="staging/trips/month")
    result = run_it(settings)
    aws.faults.clear()
    assert not result.succeeded
    assert "FAILED" in result.error
    assert "Nothing was published. What to do: read the log" in result.error
    assert versions(settings) == before


def test_a_crash_between_two_commits_is_named_and_healed_by_the_next_run(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    settings, aws, _ = published
    assert run_it(settings).succeeded
    before = versions(settings)
    aws.faults.fail(
        "glue", "UpdateTable", "InternalServiceException", "emulated", 500, 50, "taxi_curated.time_series_analysis"
    )
    result = run_it(settings)
    aws.faults.clear()
    assert not result.succeeded
    assert "curated.time_series_analysis could not be written" in result.error
    assert "Readers see what they saw before" in result.error
    assert "Traceback" not in result.error
    after = versions(settings)
    assert after["curated.time_series_analysis"] == before["curated.time_series_analysis"]
    assert after["curated.daily_metrics"] != before["curated.daily_metrics"]
    remark = f"time_series_analysis was computed from another version of staging: run {MONTH} again"
    assert remark in lake_status(opened(settings))[0].remarks
    assert run_it(settings).succeeded
    assert lake_status(opened(settings))[0].remarks == ()


@contextmanager
def run_that_hangs_in_its_glue_run(
    settings: Settings, aws: AwsEmulator
) -> Iterator[tuple[subprocess.Popen[str], JobRun]]:
    """``taxi-assets run`` in a process of its own, and its Glue run, which waits in S3 for the end of the block."""
    arrived, gate = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        gate.wait(120)

    aws.faults.before("s3", "PutObject", hold, resource_contains="staging/trips/month")
    command = [sys.executable, "-m", "taxi_assets.cli.main", "run", "--month", MONTH]
    environment = {
        **os.environ,
        "TAXI_PROFILE": "aws",
        "TAXI_LAKE": settings.lake,
        "TAXI_SOURCE": settings.source,
        "TAXI_GLUE_POLL_SECONDS": "0.2",
    }
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert arrived.wait(120)
        yield worker, aws.runs("taxi-stage-trips")[0]
    finally:
        gate.set()
        if worker.poll() is None:
            worker.kill()
        worker.communicate()


def test_a_run_that_is_interrupted_stops_its_glue_run_and_publishes_nothing(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    settings, aws, _ = published
    before = versions(settings)
    with run_that_hangs_in_its_glue_run(settings, aws) as (worker, glue_run):
        worker.send_signal(signal.SIGINT)
        _, said = worker.communicate(timeout=60)
        assert worker.returncode == 1
        assert "interrupted; nothing more is published" in " ".join(said.split())
        assert "What to do: run the month again" in " ".join(said.split())
        wait_until(lambda: glue_run.state == "STOPPED")
    assert versions(settings) == before


def test_after_a_worker_was_killed_the_next_run_stops_what_it_left_and_publishes(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    settings, aws, _ = published
    before = versions(settings)
    with run_that_hangs_in_its_glue_run(settings, aws) as (worker, glue_run):
        worker.kill()
        worker.wait()
        assert glue_run.state == "RUNNING"  # nobody was left to stop it
        result = run_it(settings)
    assert result.succeeded, result.error
    assert glue_run.state == "STOPPED"
    assert not set(before.values()) & set(versions(settings).values())
    assert lake_status(opened(settings))[0].remarks == ()


def test_of_two_runs_of_one_month_the_first_to_publish_stays(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    settings, aws, _ = published
    others: list[MonthResult] = []
    aws.faults.before(
        "glue", "UpdateTable", lambda: others.append(run_it(settings)), resource_contains="taxi_staging.quarantine"
    )
    result = run_it(settings)
    assert [other.succeeded for other in others] == [True]
    assert "was published by another run in the meantime and stays" in result.error
    assert "run the month again if yours should stand" in result.error
    assert lake_status(opened(settings))[0].remarks == ()


def test_two_runs_of_different_months_both_land(published: tuple[Settings, AwsEmulator, MonthResult]) -> None:
    settings, aws, _ = published
    others: list[MonthResult] = []
    aws.faults.before(
        "glue",
        "UpdateTable",
        lambda: others.append(run_it(settings, "2024-01")),
        resource_contains="taxi_staging.quarantine",
    )
    result = run_it(settings)
    assert result.succeeded, result.error
    assert [other.succeeded for other in others] == [True]
    status = lake_status(opened(settings))
    assert [(month.month, month.remarks) for month in status] == [("2024-01", ()), (MONTH, ())]


def test_a_file_dropped_into_the_bucket_is_landed_by_a_glue_run(
    published: tuple[Settings, AwsEmulator, MonthResult], tmp_path: Path
) -> None:
    settings, aws, _ = published
    file = tlc.trip_file_name("2024-03")
    uri = f"{settings.lake}/raw/inbox/{file}"
    url = aws.client("sqs").create_queue(QueueName="taxi-drops")["QueueUrl"]
    s3 = aws.client("s3")
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={
            "QueueConfigurations": [
                {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:taxi-drops", "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    settings = settings.model_copy(update={"drop_queue_url": url})
    clock = Clock(datetime.now(timezone.utc))
    daemon = Daemon(location_with(settings, dropped_files(settings, clock)), DROPS, tmp_path / "home", clock)
    s3.upload_file(str(write_source(tmp_path, "2024-03")), BUCKET, "lake/raw/inbox/" + file)
    (request,) = daemon.look().run_requests or []
    result = execute(daemon, request)
    assert result.success
    landed = opened(settings).ledger.current("2024-03", TRIPS_DATASET)
    assert landed is not None
    assert (landed.url, landed.etag) == (uri, request.tags["taxi/content"])
    wait_until(lambda: _is_settled(daemon, url, aws))
    assert s3.head_object(Bucket=BUCKET, Key="lake/raw/inbox/" + file)


def _is_settled(daemon: Daemon, queue: str, aws: AwsEmulator) -> bool:
    """Whether a tick, once the message is shown again, has deleted it."""
    assert daemon.tick() == []
    told = aws.client("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    return set(told.values()) == {"0"}


def test_the_month_is_in_good_health_and_its_metrics_are_in_cloudwatch(
    published: tuple[Settings, AwsEmulator, MonthResult],
) -> None:
    settings, aws, result = published
    assert last_heartbeat(opened(settings)) is None  # S3 is asked otherwise for what is not there
    assert heartbeat_tick(settings, datetime.now(timezone.utc)).startswith(f"written to {settings.lake}/health/")
    lines = examine(settings, datetime.now(timezone.utc))
    well = {line.check for line in lines if line.level is Level.OK}
    assert well >= {"lake", "catalog and files", "heartbeat", "Glue jobs"}  # other tests have left failed runs
    assert not any(line.found.startswith("cannot be told") for line in lines)
    kept = aws.client("cloudwatch").list_metrics(Namespace=NAMESPACE)["Metrics"]
    names = {metric["MetricName"] for metric in kept}
    assert names == {metric.name for metric in METRICS}
    values = {dimension["Value"] for metric in kept for dimension in metric["Dimensions"]}
    assert values <= {*JOBS, "raw/trips", "raw/zones", *(name.replace(".", "/") for name in MONTHLY_TABLES)}
    with opened(settings).connect() as connection:
        [(cost,)] = connection.execute(
            "SELECT sum(value) FROM quality.run_metrics WHERE metric = 'EstimatedCostUsd' AND run_id = ?",
            [result.run_id],
        ).fetchall()
    assert cost == pytest.approx(sum(result.estimated_cost_usd.values()))


def test_the_recorded_api_calls_of_each_role_are_those_of_the_file(
    published: tuple[Settings, AwsEmulator, MonthResult], request: pytest.FixtureRequest
) -> None:
    """``infra/api-calls.json`` is what the roles' policies must allow. All that this module did was recorded.

    TAXI_TESTS_WRITE_API_CALLS=1 writes the file anew.
    """
    settings, aws, _ = published
    with opened(settings).connect() as connection:
        connection.execute("SELECT count(*) FROM curated.daily_metrics").fetchall()
    topic = aws.client("sns").create_topic(Name="taxi-alerts")["TopicArn"]
    message = Message("run_failed", "ERROR", "A month failed", "What to do: nothing.", datetime.now(timezone.utc))
    for notifier in (notifier_of(settings), notifier_of(settings.model_copy(update={"alert_topic_arn": topic}))):
        notifier.send(message)
    recorded = summary(aws.calls.entries)
    if os.environ.get("TAXI_TESTS_WRITE_API_CALLS"):
        API_CALLS.write_text(json.dumps(recorded, indent=2) + "\n")
    assert recorded == json.loads(API_CALLS.read_text())


def summary(calls: list[ApiCall]) -> dict[str, dict[str, list[str]]]:
    """Role to IAM action to the kinds of resources that it was used on."""
    found: dict[str, dict[str, set[str]]] = {}
    for call in calls:
        if call.role == Role.TEST.value:
            continue
        for action, resource in call.permissions:
            if resource.startswith("s3://") and not resource.startswith(f"s3://{BUCKET}"):
                continue  # PyArrow asks once for a bucket that cannot exist, to see what AWS answers then
            found.setdefault(call.role, {}).setdefault(action, set()).add(kind_of(resource))
    return {
        role: {action: sorted(kinds) for action, kinds in sorted(actions.items())}
        for role, actions in sorted(found.items())
    }


def kind_of(resource: str) -> str:
    """A resource as a policy would name it: the lake's top folder, the database, the job; ``*`` if it names none."""
    if resource.startswith("s3://"):
        key = resource.removeprefix(f"s3://{BUCKET}").removeprefix("/lake").strip("/")
        return f"s3://LAKE/{key.partition('/')[0]}" if key else "s3://LAKE"
    return re.sub(r":jr_[0-9a-f]+$", ":RUN", resource) or "*"
