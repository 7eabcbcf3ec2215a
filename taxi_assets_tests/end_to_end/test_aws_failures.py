"""What goes wrong with a run on the emulated AWS: readers keep what they had, and the next step is said.

Belongs here: an error of S3, a crash between two commits, an interruption, another run that was quicker. Does not: a
worker that is killed (``test_aws_lost_worker``), or a Glue run's own bad ends (``aws/test_glue``).
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from botocore.retries.standard import ExponentialBackoff

from glue_jobs.contracts import MONTHLY_TABLES
from taxi_assets.lake.publishing import Publication
from taxi_assets.lake.status import lake_status
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.emulators.aws import AwsEmulator
from taxi_assets_tests.support.aws_lake import AwsLake, deployed_lake, hanging_run
from taxi_assets_tests.support.waiting import HANGS_AFTER, wait_until

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="module")
def published(aws: AwsEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsLake]:
    """A lake in which the month is published."""
    with deployed_lake(aws, tmp_path_factory.mktemp("aws")) as lake:
        lake.published()
        yield lake


@pytest.fixture
def lake(published: AwsLake) -> Iterator[AwsLake]:
    """That lake, whose tables fit together; nothing is to go wrong after the test."""
    if remarks_on(published):
        published.published()
    yield published
    published.aws.faults.clear()


def remarks_on(lake: AwsLake) -> tuple[str, ...]:
    [month] = lake_status(lake.open())
    return month.remarks


def test_an_error_of_s3_while_a_job_writes_publishes_nothing(lake: AwsLake) -> None:
    before = lake.versions()
    for action in ("PutObject", "CreateMultipartUpload"):
        lake.aws.faults.fail(
            "s3", action, "AccessDenied", "Access Denied", 403, 50, resource_contains="staging/trips/month"
        )
    result = lake.run()
    assert not result.succeeded
    assert "FAILED" in result.error
    assert "Nothing was published. What to do: read the log" in result.error
    assert lake.versions() == before


def test_a_crash_between_two_commits_is_named_and_healed_by_the_next_run(
    lake: AwsLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.0)  # AWS is asked ten times, without a wait
    before = lake.versions()
    lake.aws.faults.fail(
        "glue", "UpdateTable", "InternalServiceException", "emulated", 500, 50, "taxi_curated.time_series_analysis"
    )
    result = lake.run()
    lake.aws.faults.clear()
    assert not result.succeeded
    assert "curated.time_series_analysis could not be written" in result.error
    assert "Readers see what they saw before" in result.error
    assert "Traceback" not in result.error
    after = lake.versions()
    assert after["curated.time_series_analysis"] == before["curated.time_series_analysis"]
    assert after["curated.daily_metrics"] != before["curated.daily_metrics"]
    assert f"time_series_analysis was computed from another version of staging: run {MONTH} again" in remarks_on(lake)
    lake.published()
    assert remarks_on(lake) == ()


@pytest.mark.usefixtures("interruptible")
def test_a_run_that_is_interrupted_stops_its_glue_run_and_publishes_nothing(lake: AwsLake) -> None:
    before = lake.versions()
    with hanging_run(lake) as hung:
        hung.worker.send_signal(signal.SIGINT)
        _, said = hung.worker.communicate(timeout=HANGS_AFTER)
        assert hung.worker.returncode == 130
        assert "interrupted; nothing more is published" in " ".join(said.split())
        assert "What to do: run the month again" in " ".join(said.split())
        wait_until(lambda: hung.glue_run.state == "STOPPED")
    assert lake.versions() == before


def test_of_two_runs_of_one_month_the_first_to_publish_stays(lake: AwsLake) -> None:
    rivals: list[dict[str, Publication]] = []
    lake.aws.faults.before(
        "glue", "UpdateTable", lambda: rivals.append(publish_again(lake)), resource_contains="taxi_staging.quarantine"
    )
    result = lake.run()
    [rival] = rivals
    assert "was published by another run in the meantime and stays" in result.error
    assert "run the month again if yours should stand" in result.error
    assert lake.live() == rival
    assert remarks_on(lake) == ()


def publish_again(lake: AwsLake) -> dict[str, Publication]:
    """What another run does in the end: a commit to each table of the month. Its files are those that are live."""
    publisher, published = lake.open().publisher, {}
    for name, live in lake.live().items():
        assert live is not None
        published[name] = publisher.publish(MONTHLY_TABLES[name], MONTH, live.version, live.lineage, live)
    return published
