"""Files dropped by hand: the sensor on a folder, and on an emulated SQS queue that S3 notifies of new objects."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from glue_jobs.contracts import tlc
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.aws import sqs as module
from taxi_assets.aws.client import AwsError
from taxi_assets.lake.lake import Lake
from taxi_assets.sensors.dropped_files.sensor import DROPS, dropped_files
from taxi_assets.settings import Profile, Settings
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.emulators.aws import ACCOUNT, REGION, AwsEmulator, Role
from taxi_assets_tests.support.daemon import Clock, Daemon, execute, location_with

FILE = tlc.trip_file_name(MONTH)


def daemon_for(settings: Settings, tmp_path: Path) -> Daemon:
    clock = Clock(datetime.now(timezone.utc) + timedelta(minutes=5))  # the times of files are real
    return Daemon(location_with(settings, dropped_files(settings, clock)), DROPS, tmp_path / "home", clock)


@pytest.fixture
def on_laptop(tmp_path: Path, source: Path, engine: str) -> Daemon:
    return daemon_for(Settings(lake=str(tmp_path / "lake"), source=str(source), engine=engine), tmp_path)


def drop(tmp_path: Path, source: Path, name: str = FILE) -> Path:
    target = tmp_path / "lake" / "raw" / "inbox" / "by hand" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source / tlc.trip_file_path(MONTH), target)
    return target


def test_a_file_dropped_into_the_inbox_is_landed_once_and_stays_there(
    on_laptop: Daemon, source: Path, tmp_path: Path
) -> None:
    assert on_laptop.look().skip_message == "nothing was dropped"
    dropped = drop(tmp_path, source)
    (request,) = on_laptop.look().run_requests or []
    result = execute(on_laptop, request)
    assert result.success
    file = Lake.in_folder(tmp_path / "lake").ledger.current(MONTH, TRIPS_DATASET)
    assert file is not None
    assert file.url == dropped.as_uri()
    assert file.etag == request.tags["taxi/content"]
    assert f"run {result.run_id[:8]}" not in (on_laptop.look().skip_message or "")
    assert "it is landed" in (on_laptop.look().skip_message or "")
    on_laptop.restart()
    shutil.rmtree(on_laptop.home)
    assert on_laptop.tick() == []  # nor by an instance that knows no runs
    assert dropped.is_file()


def test_a_file_that_replaces_a_dropped_one_is_asked_for(on_laptop: Daemon, source: Path, tmp_path: Path) -> None:
    dropped = drop(tmp_path, source)
    (run,) = on_laptop.tick()
    on_laptop.succeed(run)
    assert on_laptop.tick() == []
    dropped.write_bytes(b"another")
    (again,) = on_laptop.tick()
    assert again.tags["taxi/content"] != run.tags["taxi/content"]


def test_what_is_no_trip_file_is_said_and_left(on_laptop: Daemon, source: Path, tmp_path: Path) -> None:
    other = drop(tmp_path, source, "green_tripdata_2024-02.parquet")
    assert f"not taken: {other}: it is not called as a trip file" in (on_laptop.look().skip_message or "")
    assert other.is_file()


@pytest.fixture(scope="module")
def queue(aws: AwsEmulator) -> str:
    """A bucket that tells an SQS queue of what is made below the lake's inbox."""
    aws.provision("taxi-lake", [])
    url: str = aws.client("sqs").create_queue(QueueName="taxi-drops")["QueueUrl"]
    aws.client("s3").put_bucket_notification_configuration(
        Bucket="taxi-lake",
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:taxi-drops",
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "lake/raw/inbox/"}]}},
                }
            ]
        },
    )
    return url


@pytest.fixture
def on_aws(
    aws: AwsEmulator, queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Daemon, AwsEmulator, str]:
    """The sensor on the emulated AWS, with an empty queue, whose messages are shown again at once."""
    monkeypatch.setattr(module, "HIDDEN_SECONDS", 0)
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0)
    monkeypatch.setattr(module, "_MESSAGES_AT_MOST", 10)  # a message that is shown again would be read without end
    sqs = aws.client("sqs")
    while left := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        for message in left:  # PurgeQueue is allowed once a minute
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    settings = Settings(profile=Profile.AWS, lake="s3://taxi-lake/lake", source="synthetic", drop_queue_url=queue)
    return daemon_for(settings, tmp_path), aws, queue


def waiting(aws: AwsEmulator, queue: str) -> list[dict[str, Any]]:
    found = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def put(aws: AwsEmulator, key: str, body: bytes = b"PAR1") -> None:
    aws.client("s3").put_object(Bucket="taxi-lake", Key=f"lake/raw/inbox/{key}", Body=body)


def test_a_dropped_object_is_asked_for_once_and_its_message_deleted_when_the_run_is_there(
    on_aws: tuple[Daemon, AwsEmulator, str],
) -> None:
    daemon, aws, queue = on_aws
    put(aws, f"from Ana/{FILE}")
    (event,) = waiting(aws, queue)
    assert daemon.tick(launches=False) != []  # dies before the run is launched
    assert len(waiting(aws, queue)) == 1
    (run,) = daemon.tick()
    assert run.run_config == {
        "ops": {"ingest_raw": {"config": {"source": "inbox:s3://taxi-lake/lake/raw/inbox/from Ana"}}}
    }
    assert len(waiting(aws, queue)) == 1
    assert daemon.tick() == []
    assert waiting(aws, queue) == []
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(event))  # SQS delivers at least once
    assert daemon.tick() == []
    assert waiting(aws, queue) == []
    assert len(daemon.instance.get_runs()) == 1
    assert aws.client("s3").head_object(Bucket="taxi-lake", Key=f"lake/raw/inbox/from Ana/{FILE}")


def test_a_failed_drop_is_asked_for_again_though_its_message_is_gone(on_aws: tuple[Daemon, AwsEmulator, str]) -> None:
    daemon, aws, queue = on_aws
    put(aws, FILE)
    (run,) = daemon.tick()
    daemon.fail(run, {"cause": "source"})
    assert daemon.tick() == []
    assert waiting(aws, queue) == []
    daemon.clock.pass_(minutes=31)
    (again,) = daemon.tick()
    assert again.tags["taxi/attempt"] == "2"
    assert again.run_config == run.run_config
    daemon.succeed(again)
    assert daemon.tick() == []


def test_of_two_drops_of_a_month_the_later_one_is_taken_whatever_order_they_are_told_in(
    on_aws: tuple[Daemon, AwsEmulator, str],
) -> None:
    daemon, aws, queue = on_aws
    put(aws, f"a/{FILE}", b"first")
    (first,) = waiting(aws, queue)
    put(aws, f"b/{FILE}", b"second")
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(first))  # again, and last
    (run,) = daemon.tick()
    assert run.tags["taxi/dropped_file"].endswith(f"/b/{FILE}")
    assert daemon.tick() == []
    assert waiting(aws, queue) == []


def test_messages_that_are_no_trip_file_are_deleted_and_said(on_aws: tuple[Daemon, AwsEmulator, str]) -> None:
    daemon, aws, queue = on_aws
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="hello")
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"Event": "s3:TestEvent"}))
    put(aws, "readme.txt")
    said = daemon.look().skip_message or ""
    assert said.count("not taken") == 3
    assert waiting(aws, queue) == []
    assert aws.client("s3").head_object(Bucket="taxi-lake", Key="lake/raw/inbox/readme.txt")


def test_a_queue_that_cannot_be_read_says_so(on_aws: tuple[Daemon, AwsEmulator, str]) -> None:
    daemon, aws, queue = on_aws
    settings = Settings(profile=Profile.AWS, lake="s3://taxi-lake/lake", drop_queue_url=f"{queue}-of-others")
    other = Daemon(location_with(settings, dropped_files(settings)), DROPS, daemon.home, daemon.clock)
    with pytest.raises(AwsError, match=r"the queue .*-of-others could not be read"):
        other.look()
    assert aws.calls.entries[-1].role == Role.DAGSTER.value


def test_without_a_queue_the_sensor_is_off_on_aws_and_says_why(tmp_path: Path) -> None:
    settings = Settings(profile=Profile.AWS, lake="s3://taxi-lake/lake")
    assert dropped_files(settings).default_status is dg.DefaultSensorStatus.STOPPED
    assert "TAXI_DROP_QUEUE_URL is not set" in (daemon_for(settings, tmp_path).look().skip_message or "")
    assert dropped_files(Settings()).default_status is dg.DefaultSensorStatus.RUNNING
