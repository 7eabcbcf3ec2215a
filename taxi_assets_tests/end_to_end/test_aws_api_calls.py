"""Which API calls each role makes on AWS: ``infra/api-calls.json`` is what the roles' policies must allow.

Belongs here: flows that between them make every kind of call, each a fixture that runs once, and what comes of those
that no other module has. Does not: how a call is recorded (``emulators/recording``).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from urllib.request import urlopen

import dagster as dg
import pytest
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster_aws.s3 import S3ComputeLogManager
from pyiceberg.table import TableProperties

from glue_jobs.contracts import CALENDAR, CURATED_TABLES, LOGS, QUARANTINE, RUN_METRICS, TRIPS, tlc
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.alerts.notify import Message
from taxi_assets.aws import sqs
from taxi_assets.aws.redshift import endpoint, iam_login, secret_login
from taxi_assets.definitions import build_definitions, metrics_of, notifier_of
from taxi_assets.lake.catalog_check import bring_up_to_date
from taxi_assets.lake.maintenance import RETENTION, maintain
from taxi_assets.lake.publishing import Publication
from taxi_assets.lake.reports import read_report
from taxi_assets.lake.texts import write_text
from taxi_assets.lake.vacuum import carry_out, plan
from taxi_assets.metrics.names import JOB_SECONDS, Point
from taxi_assets.operations.health.examine import examine
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.presentation.answers import Answers
from taxi_assets.presentation.report import Links, render
from taxi_assets.sensors.dropped_files.sensor import DROPS, dropped_files
from taxi_assets.sensors.heartbeat import last_heartbeat
from taxi_assets.sensors.lost_jobs import stop_lost_jobs
from taxi_assets.warehouse.resource import MemoryWarehouse
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.emulators.aws import ACCOUNT, JOBS, REGION, AwsEmulator, Role, deployed_name
from taxi_assets_tests.emulators.environment import acting_as
from taxi_assets_tests.emulators.recording import ApiCall
from taxi_assets_tests.support import heartbeat
from taxi_assets_tests.support.aws_lake import BUCKET, DAYS, AwsLake, deployed_lake
from taxi_assets_tests.support.daemon import Clock, Daemon, execute, location_with
from taxi_assets_tests.support.waiting import wait_until

pytestmark = pytest.mark.emulator

API_CALLS = Path(__file__).parent.parent.parent / "infra" / "api-calls.json"
EARLIER, DROPPED = "2024-01", "2024-03"


@pytest.fixture(scope="module")
def lake(aws: AwsEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsLake]:
    """An empty lake, to which the jobs are deployed; each has a role of its own, as on AWS."""
    glue = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "glue.amazonaws.com"}}
    for job in JOBS:
        trust = json.dumps({"Version": "2012-10-17", "Statement": [glue]})
        aws.client("iam").create_role(RoleName=deployed_name(job), AssumeRolePolicyDocument=trust)
    with aws.jobs_acting_as_roles(), deployed_lake(aws, tmp_path_factory.mktemp("aws")) as lake:
        yield lake


@pytest.fixture(scope="module")
def published(lake: AwsLake) -> MonthResult:
    """The month, published."""
    return lake.published()


# --- its quarantine, judged again


@pytest.fixture(scope="module")
def replayed(lake: AwsLake, published: MonthResult) -> MonthResult:
    return lake.run(tables=["daily_metrics"], replay=True)


def test_the_quarantine_of_a_month_can_be_replayed(
    lake: AwsLake, published: MonthResult, replayed: MonthResult
) -> None:
    assert replayed.succeeded, replayed.error
    assert (replayed.released_rows, replayed.published_rows) == (0, published.published_rows)
    assert lake.aws.runs("taxi-replay-quarantine")[0].state == "SUCCEEDED"


# --- a file that somebody drops into the bucket


@dataclass(frozen=True)
class Dropped:
    """What came of a file in the inbox: its URI and content, whether it was landed, what waits in the queue."""

    uri: str
    content: str
    landed: bool
    queue: str


@pytest.fixture(scope="module")
def dropped(lake: AwsLake, tmp_path_factory: pytest.TempPathFactory) -> Dropped:
    folder, aws = tmp_path_factory.mktemp("dropped"), lake.aws
    url = aws.client("sqs").create_queue(QueueName="taxi-drops")["QueueUrl"]
    told = {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:taxi-drops", "Events": ["s3:ObjectCreated:*"]}
    aws.client("s3").put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [told]}
    )
    settings = lake.settings.model_copy(update={"drop_queue_url": url})
    clock = Clock(datetime.now(timezone.utc))
    daemon = Daemon(location_with(settings, dropped_files(settings, clock)), DROPS, folder / "home", clock)
    key = f"lake/raw/inbox/{tlc.trip_file_name(DROPPED)}"
    aws.client("s3").upload_file(str(write_source(folder, DROPPED, days=DAYS)), BUCKET, key)

    def is_settled() -> bool:
        """Whether a tick, once the message is shown again, has deleted it."""
        assert daemon.tick() == []
        return waiting_in(url, aws) == {"0"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqs, "HIDDEN_SECONDS", 1)  # of thirty, for which the test would wait
        (request,) = daemon.look().run_requests or []
        result = execute(daemon, request)
        wait_until(is_settled)
    return Dropped(f"s3://{BUCKET}/{key}", request.tags["taxi/content"], result.success, url)


def waiting_in(queue: str, aws: AwsEmulator) -> set[str]:
    """How many messages the queue has, shown and hidden."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return set(told.values())


def test_a_file_dropped_into_the_bucket_is_landed_by_a_glue_run(lake: AwsLake, dropped: Dropped) -> None:
    assert dropped.landed
    landed = lake.open().ledger.current(DROPPED, TRIPS_DATASET)
    assert landed is not None
    assert (landed.url, landed.etag) == (dropped.uri, dropped.content)
    assert waiting_in(dropped.queue, lake.aws) == {"0"}
    assert lake.aws.client("s3").head_object(Bucket=BUCKET, Key=dropped.uri.removeprefix(f"s3://{BUCKET}/"))


# --- two runs of different months that commit to one table at once


@pytest.fixture(scope="module")
def raced(lake: AwsLake, published: MonthResult) -> tuple[Publication, Publication]:
    """The later month, into whose commit another run's of the earlier month came, and that earlier month.

    They commit to the quarantine; the earlier month's version has no rows.
    """
    publisher = lake.open().publisher
    live = publisher.live(QUARANTINE, MONTH)
    assert live is not None
    rivals: list[Publication] = []

    def rival() -> None:
        rivals.append(lake.open().publisher.publish(QUARANTINE, EARLIER, "rival", {}, None))

    lake.aws.faults.before("glue", "UpdateTable", rival, resource_contains="taxi_staging.quarantine")
    mine = publisher.publish(QUARANTINE, MONTH, live.version, live.lineage, live)
    [theirs] = rivals
    return mine, theirs


def test_two_runs_of_different_months_both_land(
    lake: AwsLake, published: MonthResult, raced: tuple[Publication, Publication]
) -> None:
    mine, theirs = raced
    publisher = lake.open().publisher
    history = publisher.history(QUARANTINE)
    assert mine in history
    assert theirs in history
    assert history.index(mine) < history.index(theirs)
    assert publisher.live(QUARANTINE, EARLIER) == theirs
    assert (mine.rows, theirs.rows) == (published.quarantined_rows, 0)
    assert lake.open().catalog.open(QUARANTINE).scan().to_arrow().num_rows == published.quarantined_rows


# --- flows of which other modules test what comes of them


@pytest.fixture(scope="module")
def lost_job_stopped(lake: AwsLake, published: MonthResult) -> None:
    """A Glue run whose Dagster run has ended, stopped by the sensor."""
    aws = lake.aws
    arguments = {"--month": MONTH, "--dagster-run-id": published.run_id}
    jobs = (build_definitions(lake.settings).resources or {})["jobs"]
    with aws.faults.holding("s3", "GetObject", "/stage_trips.py") as held:  # the run does not end by itself
        run_id = aws.client("glue").start_job_run(JobName="taxi-stage-trips", Arguments=arguments)["JobRunId"]
        wait_until(held.arrived.is_set)
        with (
            dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance,
            dg.build_sensor_context(instance=instance, resources={"jobs": jobs}) as context,
        ):
            said = stop_lost_jobs(context)
    assert isinstance(said, dg.SkipReason)
    assert f"stopped taxi-stage-trips {run_id}" in str(said.skip_message)
    wait_until(lambda: aws.runs("taxi-stage-trips")[0].state == "STOPPED")


@pytest.fixture(scope="module")
def raw_table_corrected(lake: AwsLake, published: MonthResult) -> None:
    """The plain table over the raw files: a partition moved, taken away and put back, columns put right."""
    opened, glue = lake.open(), lake.aws.client("glue")
    file = opened.ledger.current(MONTH, TRIPS_DATASET)
    assert file is not None
    assert opened.raw_trips is not None
    assert opened.show_raw(MONTH)
    assert not opened.raw_trips.put(
        replace(file, physical_schema=json.dumps({**json.loads(file.physical_schema), "VendorID": "int64"}))
    )
    shown = glue.get_table(DatabaseName="taxi_raw", Name="trips")["Table"]
    fewer = {name: shown[name] for name in ("Name", "TableType", "PartitionKeys", "StorageDescriptor", "Parameters")}
    fewer["StorageDescriptor"]["Columns"].pop()
    glue.update_table(DatabaseName="taxi_raw", TableInput=fewer)
    bring_up_to_date(opened)


@pytest.fixture(scope="module")
def old_metadata_deleted(lake: AwsLake, published: MonthResult) -> None:
    """A table keeps the metadata files of its last fifty commits, and deletes older ones; here, of its last one."""
    with acting_as(lake.aws.url, Role.TEST), lake.open().catalog.open(RUN_METRICS).transaction() as transaction:
        transaction.set_properties({TableProperties.METADATA_PREVIOUS_VERSIONS_MAX: "1"})
    metrics_of(lake.settings).put([Point(JOB_SECONDS, 1, "stage_trips")], MONTH, published.run_id)


@pytest.fixture(scope="module")
def maintained(lake: AwsLake, published: MonthResult, raced: tuple[Publication, Publication]) -> None:
    """The tables made small, as they are in a month's time."""
    done = {one.table: one for one in maintain(lake.open().catalog, datetime.now(timezone.utc) + RETENTION)}
    assert all(done[name].files_deleted for name in LOGS)


@pytest.fixture(scope="module")
def vacuumed(lake: AwsLake, published: MonthResult, maintained: None) -> None:
    """What failed runs left, deleted when it is old, in each folder that may have some."""
    opened, left = lake.open(), "version=20240101T000000Z-0badf00d/part-0.parquet"
    leftovers = {
        f"{opened.paths.table(table)}/month={MONTH}/{left}" for table in (TRIPS, CURATED_TABLES["daily_metrics"])
    }
    leftovers |= {
        f"{opened.paths.table(CALENDAR)}/metadata/0badf00d-m0.avro",
        opened.paths.report(MONTH, "20240101T000000Z-0badf00d"),
    }
    with acting_as(lake.aws.url, Role.TEST):
        for path in leftovers:
            write_text(path, "left behind")
    planned = plan(opened, datetime.now(timezone.utc) + RETENTION)
    assert leftovers <= {file for group in planned.leftovers for file in group.files}
    assert list(carry_out(opened, planned)) == list(planned.leftovers)
    assert plan(opened, datetime.now(timezone.utc) + RETENTION).leftovers == ()


@pytest.fixture(scope="module")
def logged_in(lake: AwsLake) -> None:
    """What is asked of AWS before Redshift is: by Dagster as itself and as the administrator, by the dashboard."""
    redshift = lake.aws.client("redshift-serverless")
    made = redshift.create_namespace(namespaceName="taxi", manageAdminPassword=True)["namespace"]
    redshift.create_workgroup(workgroupName="taxi", namespaceName="taxi")
    for role in (Role.DAGSTER, Role.DASHBOARD):
        with acting_as(lake.aws.url, role):
            endpoint("taxi", REGION)
            iam_login("taxi", "taxi", REGION)
    secret_login("taxi", made["adminPasswordSecretArn"], REGION)


@pytest.fixture(scope="module")
def looked_after(lake: AwsLake, published: MonthResult) -> None:
    """A sign of life, written and read; all that health looks at; SQL; a report, by link too; an alert, both ways."""
    now = datetime.now(timezone.utc)
    assert last_heartbeat(lake.open()) is None
    heartbeat.tick(lake.settings, now)
    examine(lake.settings, now)
    with lake.open().connect() as connection:
        connection.execute("SELECT count(*) FROM curated.daily_metrics").fetchall()
    page = read_report(lake.open().paths, MONTH)
    with urlopen(lake.open().presigned(published.report), timeout=60) as answer:
        assert answer.read().decode() == page
    topic = lake.aws.client("sns").create_topic(Name="taxi-alerts")["TopicArn"]
    message = Message("run_failed", "ERROR", "A month failed", "What to do: nothing.", now)
    for changes in ({}, {"alert_topic_arn": topic}):
        notifier_of(lake.settings.model_copy(update=changes)).send(message)


@pytest.fixture(scope="module")
def looked_at(lake: AwsLake, published: MonthResult) -> None:
    """What the dashboard does: its questions, the history of a month, its report."""
    with acting_as(lake.aws.url, Role.DASHBOARD):
        opened = lake.open()
        with MemoryWarehouse().open(opened) as engine:
            reader = Answers(engine, opened).reader()
            links = Links(lake.settings.ui_url, lake.settings.dashboard_url)
            assert MONTH in render(reader, MONTH, links, datetime.now(timezone.utc))
            assert reader.has_report(MONTH)
            assert reader.report(MONTH)


@pytest.fixture(scope="module")
def logs_kept(lake: AwsLake, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a run printed, as the production instance keeps it."""
    key = ["a-run", "compute_logs", "a-step"]
    with acting_as(lake.aws.url, Role.DAGSTER):
        manager = S3ComputeLogManager(BUCKET, str(tmp_path_factory.mktemp("logs")), prefix="lake/logs/dagster")
        file = Path(manager.local_manager.get_captured_local_path(key, "out"))
        file.parent.mkdir(parents=True)
        file.write_text("printed by a run")
        manager.upload_to_cloud_storage(key, ComputeIOType.STDOUT)
        assert manager.cloud_storage_has_logs(key, ComputeIOType.STDOUT)


@pytest.mark.usefixtures(
    "published",
    "replayed",
    "dropped",
    "raced",
    "lost_job_stopped",
    "raw_table_corrected",
    "old_metadata_deleted",
    "maintained",
    "vacuumed",
    "logged_in",
    "looked_after",
    "looked_at",
    "logs_kept",
)
def test_the_recorded_api_calls_of_each_role_are_those_of_the_file(lake: AwsLake) -> None:
    """All that the fixtures above did was recorded. TAXI_TESTS_WRITE_API_CALLS=1 writes the file."""
    recorded = summary(lake.aws.calls.entries)
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
            role = call.role.removeprefix("taxi-")  # of a job
            found.setdefault(role, {}).setdefault(action, set()).add(kind_of(resource))
    return {
        role: {action: sorted(kinds) for action, kinds in sorted(actions.items())}
        for role, actions in sorted(found.items())
    }


def kind_of(resource: str) -> str:
    """A resource as a policy would name it: the lake's top folder, the database, the job; ``*`` if it names none."""
    if resource.startswith("s3://"):
        key = resource.removeprefix(f"s3://{BUCKET}").removeprefix("/lake").strip("/")
        return f"s3://LAKE/{key.partition('/')[0]}" if key else "s3://LAKE"
    if ":secret:" in resource:
        return re.sub(r"-\w{6}$", "", resource)  # which AWS makes up
    return re.sub(r":jr_[0-9a-f]+$", ":RUN", resource) or "*"
