"""The environment dev, applied to the emulated AWS: a month with its roles enforced, a failed run, an end.

Belongs here: what only shows when it stands. Does not: what a plan shows (``infra/stack/tests``), policies by
themselves (``test_policies``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError

from taxi_assets.aws.deploy import deploy
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.emulators.aws import AwsEmulator
from taxi_assets_tests.infra.applied import Applied, apply, left
from taxi_assets_tests.support.aws_lake import DAYS
from taxi_assets_tests.support.tlc_site import serving
from taxi_assets_tests.support.waiting import wait_until

pytestmark = pytest.mark.emulator

VARIABLES = {"alert_email": "someone@example.org"}


@pytest.fixture(scope="module")
def applied(aws: AwsEmulator, tmp_path_factory: pytest.TempPathFactory) -> Applied:
    return apply(aws, "envs/dev", tmp_path_factory.mktemp("terraform"), VARIABLES)


@pytest.fixture(scope="module")
def second_plan_is_empty(applied: Applied) -> bool:
    return applied.terraform.plan_is_empty(**VARIABLES)


@pytest.fixture(scope="module")
def password_and_state(applied: Applied) -> tuple[str, str]:
    """The password that Terraform made for Postgres, and all that it remembers."""
    secret = applied.aws.client("secretsmanager").get_secret_value(SecretId="taxi/database-password")
    return secret["SecretString"], (applied.terraform.folder / "terraform.tfstate").read_text()


@dataclass(frozen=True)
class Month:
    """A month that the roles of the environment ran, and what was refused to them."""

    result: MonthResult
    refused: list[str]
    callers: set[str]


@pytest.fixture(scope="module")
def month(applied: Applied, second_plan_is_empty: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    folder, aws = tmp_path_factory.mktemp("month"), applied.aws
    with serving(folder / "site") as site, pytest.MonkeyPatch.context() as patch:
        write_source(site.folder, MONTH, days=DAYS)
        patch.setenv("DAGSTER_HOME", str(folder / "dagster_home"))
        for name, value in applied.outputs["taxi_env"].items():
            patch.setenv(name, value)
        patch.setenv("TAXI_SOURCE", site.address)
        patch.setenv("TAXI_GLUE_POLL_SECONDS", "0.5")
        settings = Settings()
        aws.calls.clear()
        with aws.enforcing_iam() as refused:
            with aws.acting_as_role(applied.role("deploy")):
                deploy(settings)
            with aws.acting_as_role(applied.role("dagster")):
                result = run_month(settings, MONTH, None, lambda *_: None)
        yield Month(result, list(refused), {call.role for call in aws.calls.entries})


@pytest.fixture(scope="module")
def lines_of_the_jobs(applied: Applied, month: Month) -> list[str]:
    """What the jobs logged into the group that Terraform made."""
    logs, group = applied.aws.client("logs"), f"{applied.outputs['taxi_env']['TAXI_GLUE_LOG_GROUP']}/error"
    return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]


@dataclass(frozen=True)
class Astray:
    """A job that was told to write into another's layer: what the topic heard of it, what was refused, what it left."""

    message: str
    refused: list[str]
    written: list[str]


@pytest.fixture(scope="module")
def astray(applied: Applied, month: Month) -> Astray:
    """``build_curated``, told to write into raw."""
    aws, topic = applied.aws, applied.outputs["taxi_env"]["TAXI_ALERT_TOPIC_ARN"]
    lake, s3 = applied.outputs["taxi_env"]["TAXI_LAKE"], aws.client("s3")
    bucket = lake.removeprefix("s3://")
    staged = s3.list_objects_v2(Bucket=bucket, Prefix="staging/trips/month=")["Contents"]
    arguments = {
        "--month": MONTH,
        "--staging": "/".join([lake, *staged[0]["Key"].split("/")[:4]]),  # to version=
        "--outputs": json.dumps({"daily_metrics": f"{lake}/raw/astray"}),
    }
    queue = aws.client("sqs").create_queue(QueueName="listener")["QueueUrl"]
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscribed = aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    heard: list[str] = []

    def listen() -> bool:
        answer = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        heard.extend(json.loads(message["Body"])["Message"] for message in answer.get("Messages", []))
        return bool(heard)

    with aws.enforcing_iam() as refused:
        aws.client("glue").start_job_run(JobName="taxi-build-curated", Arguments=arguments)
        wait_until(listen)
        # The engine already stops at a listing: what it would have asked for next.
        with pytest.raises(ClientError):
            aws.client("s3", aws.assume(applied.role("build-curated"))).put_object(Bucket=bucket, Key="raw/astray/x")
    aws.client("sns").unsubscribe(SubscriptionArn=subscribed)
    aws.client("sqs").delete_queue(QueueUrl=queue)
    found = s3.list_objects_v2(Bucket=bucket, Prefix="raw/astray").get("Contents", [])
    return Astray(heard[0], list(refused), [one["Key"] for one in found])


@pytest.fixture(scope="module")
def left_after_destroy(
    applied: Applied, lines_of_the_jobs: list[str], astray: Astray, password_and_state: tuple[str, str]
) -> dict[str, list[str]]:
    """What is there after Terraform has destroyed all, by kind."""
    applied.terraform.destroy(**VARIABLES)
    return left(applied)


def test_a_second_plan_changes_nothing(second_plan_is_empty: bool) -> None:
    assert second_plan_is_empty


def test_the_settings_of_the_environment_are_settings(applied: Applied, month: Month) -> None:
    assert applied.outputs["taxi_env"].keys() <= {f"TAXI_{name}".upper() for name in Settings.model_fields}


def test_a_month_runs_with_the_roles_that_were_applied(month: Month) -> None:
    assert month.refused == []
    assert month.result.succeeded, month.result.error
    assert month.result.published_rows
    jobs = {"taxi-ingest-raw", "taxi-stage-trips", "taxi-build-curated"}
    assert {"taxi-deploy", "taxi-dagster", *jobs} <= month.callers


def test_the_jobs_log_where_the_environment_says(lines_of_the_jobs: list[str]) -> None:
    assert any(f'"month": "{MONTH}"' in line for line in lines_of_the_jobs)


def test_a_job_that_would_write_into_another_layer_is_refused(astray: Astray) -> None:
    listed, put = astray.refused
    for refused, action in ((listed, "s3:ListBucket"), (put, "s3:PutObject")):
        assert "assumed-role/taxi-build-curated/" in refused
        assert f"is not authorized to perform: {action} on resource: arn:aws:s3:::" in refused
    assert "/raw/astray/x" in put
    assert astray.written == []


def test_a_failed_glue_run_is_a_message_on_the_topic(astray: Astray) -> None:
    assert "Glue job taxi-build-curated ended as FAILED (run jr_" in astray.message


def test_destroy_leaves_nothing(left_after_destroy: dict[str, list[str]]) -> None:
    assert {kind: names for kind, names in left_after_destroy.items() if names} == {}


def test_the_database_s_password_is_in_no_state(password_and_state: tuple[str, str]) -> None:
    password, state = password_and_state
    assert len(password) == 40
    assert "taxi/database-password" in state
    assert password not in state
