"""The sign of life: the file, the metric, the call to a monitor, and what happens if one of them is not taken."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

import glue_jobs
import taxi_assets
from glue_jobs.errors import PipelineError
from taxi_assets.definitions import build_definitions
from taxi_assets.jobs.code import build, running_version
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.metrics.names import NAMESPACE
from taxi_assets.sensors import heartbeat as sensor
from taxi_assets.sensors.heartbeat import Heartbeat, last_heartbeat
from taxi_assets.settings import Profile, Settings
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.emulators.aws import AwsEmulator
from taxi_assets_tests.support.heartbeat import tick
from taxi_assets_tests.support.publishing_by_hand import publish_month

NOW = datetime(2024, 7, 1, 12, tzinfo=timezone.utc)
SECRET = "/ping/of-nobodys-business"


class Monitor:
    """A service that waits to be called, and answers ``status``."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.status = 200
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                monitor.called.append(self.path)
                self.send_response(monitor.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = SecretStr(f"http://127.0.0.1:{self.server.server_port}{SECRET}")


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitor]:
    monkeypatch.setattr(sensor, "_SECONDS", 600.0)  # for an answer, however busy the machine is
    monitor = Monitor()
    thread = threading.Thread(target=monitor.server.serve_forever)
    thread.start()
    yield monitor
    monitor.server.shutdown()
    monitor.server.server_close()
    thread.join()


def test_a_tick_writes_when_it_was_the_newest_month_and_the_code(tmp_path: Path) -> None:
    settings, lake = Settings(lake=str(tmp_path)), Lake.in_folder(tmp_path)
    publish_month(lake, MONTH, "v1")
    assert tick(settings, NOW) == f"written to {tmp_path}/health/heartbeat.json"
    assert last_heartbeat(lake) == Heartbeat(NOW, MONTH, running_version())
    tick(settings, NOW + timedelta(minutes=5))
    assert last_heartbeat(lake) == Heartbeat(NOW + timedelta(minutes=5), MONTH, running_version())
    assert [path.name for path in (tmp_path / "health").iterdir()] == ["heartbeat.json"]


_BEATS_AFTER_AN_EDIT = """
import json, sys
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg

import glue_jobs
import taxi_assets
from glue_jobs.errors import PipelineError
from taxi_assets.definitions import build_definitions, metrics_of
from taxi_assets.jobs.code import build, running_version
from taxi_assets.lake.resource import LakeResource
from taxi_assets.sensors.heartbeat import heartbeat, last_heartbeat
from taxi_assets.settings import Settings

copy, lake = map(Path, sys.argv[1:])
assert Path(glue_jobs.__file__).parent == copy / "glue_jobs", glue_jobs.__file__
assert Path(taxi_assets.__file__).parent == copy / "taxi_assets", taxi_assets.__file__
settings = Settings(lake=str(lake))


def seen():
    resources = {"lake": LakeResource.of(settings), "metrics": metrics_of(settings)}
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance=instance, resources=resources) as context,
    ):
        heartbeat(settings).evaluate_tick(context)
    said = last_heartbeat(LakeResource.of(settings).open())
    return {"said": said.code_version, "running": running_version(), "on_disk": build().version}


build_definitions(settings)  # the code location is loaded, nothing has ticked yet
before = build().version
edited = copy / "glue_jobs" / "stage_trips.py"
edited.write_text(edited.read_text() + "\\n# edited\\n")
print(json.dumps([before, seen(), seen()]))
"""


def test_the_code_that_a_tick_names_is_what_the_process_loaded_whatever_is_on_disk_by_now(tmp_path: Path) -> None:
    for module in (glue_jobs.__file__, taxi_assets.__file__):
        assert module is not None
        folder = Path(module).parent
        shutil.copytree(folder, tmp_path / "copy" / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", _BEATS_AFTER_AN_EDIT, str(tmp_path / "copy"), str(tmp_path / "lake")]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "copy")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded, *beats = json.loads(done.stdout.splitlines()[-1])
    assert loaded == build().version  # the copy is of this checkout
    assert len(beats) == 2
    for beat in beats:
        assert beat["said"] == beat["running"] == loaded
        assert beat["on_disk"] != loaded


def test_a_lake_in_which_nothing_is_published_has_a_heartbeat(tmp_path: Path) -> None:
    assert last_heartbeat(Lake.in_folder(tmp_path)) is None
    tick(Settings(lake=str(tmp_path)), NOW)
    assert json.loads((tmp_path / "health" / "heartbeat.json").read_text()) == {
        "at": "2024-07-01T12:00:00+00:00",
        "newest_month": "",
        "code_version": running_version(),
    }


@pytest.mark.parametrize(
    "text",
    ["{}", "<html>", '{"at": "2024-07-01T12:00:00", "newest_month": "", "code_version": ""}'],
    ids=["another JSON", "no JSON", "a time without its zone"],
)
def test_a_file_that_is_no_heartbeat_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "health").mkdir()
    (tmp_path / "health" / "heartbeat.json").write_text(text)
    with pytest.raises(PipelineError, match=rf"heartbeat\.json is no heartbeat: {re.escape(text)}"):
        last_heartbeat(Lake.in_folder(tmp_path))


def test_a_lake_that_cannot_be_written_has_no_heartbeat_and_nobody_is_called(tmp_path: Path, monitor: Monitor) -> None:
    (tmp_path / "health").write_text("no folder")
    with pytest.raises(OSError, match="health"):
        tick(Settings(lake=str(tmp_path), heartbeat_url=monitor.url), NOW)
    assert monitor.called == []


def test_the_monitor_is_called_if_there_is_one(tmp_path: Path, monitor: Monitor) -> None:
    tick(Settings(lake=str(tmp_path), heartbeat_url=monitor.url), NOW)
    assert monitor.called == [SECRET]


def test_a_monitor_that_does_not_take_it_is_a_warning_that_keeps_the_secret(
    tmp_path: Path, monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(lake=str(tmp_path), heartbeat_url=monitor.url)
    monitor.status = 404
    with caplog.at_level(logging.WARNING):
        refused = tick(settings, NOW)
        nowhere = tick(settings.model_copy(update={"heartbeat_url": SecretStr(f"http://127.0.0.1:1{SECRET}")}), NOW)
        nonsense = tick(settings.model_copy(update={"heartbeat_url": SecretStr("of-nobodys-business")}), NOW)
    assert "the monitor answered 404. What to do: check TAXI_HEARTBEAT_URL." in refused
    assert "the monitor could not be reached (ConnectionError)" in nowhere
    assert "the monitor could not be reached (MissingSchema)" in nonsense
    assert "nobodys" not in refused + nowhere + nonsense + caplog.text + repr(settings)
    assert (tmp_path / "health" / "heartbeat.json").exists()


@pytest.fixture(scope="module")
def on_aws(aws: AwsEmulator) -> Settings:
    aws.client("s3").create_bucket(Bucket="heartbeat")
    return Settings(profile=Profile.AWS, lake="s3://heartbeat/lake")


def beats(aws: AwsEmulator) -> list[float]:
    now = datetime.now(timezone.utc)
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="Heartbeat",
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=1200,
        Statistics=["Sum"],
    )["Datapoints"]
    return [point["Sum"] for point in points]


def test_on_aws_the_file_is_in_s3_and_the_metric_in_cloudwatch(aws: AwsEmulator, on_aws: Settings) -> None:
    before = sum(beats(aws))
    said = tick(on_aws, NOW)
    assert said == "written to s3://heartbeat/lake/health/heartbeat.json"
    assert last_heartbeat(LakeResource.of(on_aws).open()) == Heartbeat(NOW, "", running_version())
    assert sum(beats(aws)) == before + 1


def test_what_cloudwatch_does_not_take_is_a_warning_and_the_monitor_is_called(
    aws: AwsEmulator, on_aws: Settings, monitor: Monitor
) -> None:
    aws.faults.fail("monitoring", "PutMetricData", "AccessDenied", "not allowed")
    said = tick(on_aws.model_copy(update={"heartbeat_url": monitor.url}), NOW)
    assert "Heartbeat are not in CloudWatch" in said
    assert monitor.called == [SECRET]


def test_the_sensor_runs_by_itself_every_five_minutes(tmp_path: Path) -> None:
    watched = build_definitions(Settings(lake=str(tmp_path))).resolve_sensor_def("heartbeat")
    assert watched.default_status == dg.DefaultSensorStatus.RUNNING
    assert watched.minimum_interval_seconds == 300
