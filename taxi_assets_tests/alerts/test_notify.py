"""Each way of sending, and that none of them tells the secret. SNS is read back from an SQS queue that subscribes."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from taxi_assets.alerts.notify import Message, NotDelivered, OutboxNotifier
from taxi_assets.alerts.slack import SlackNotifier
from taxi_assets.aws.sns import SnsNotifier
from taxi_assets.definitions import build_definitions, notifier_of, slack_of
from taxi_assets.settings import Settings
from taxi_assets_tests.emulators.aws import AwsEmulator
from taxi_assets_tests.emulators.environment import ACCOUNT, REGION

BUCKET = "alerts-lake"
SECRET = "T0/B0/of-nobodys-business"
NOW = datetime(2024, 6, 3, 8, tzinfo=timezone.utc)
MESSAGE = Message(
    "failed_check",
    "ERROR",
    "1 failed check, 2024-02: adds_up",
    "1. adds_up: staging/trips; 2024-02\n   zone “Núñez”",
    NOW,
    ({"month": "2024-02", "asset": "staging/trips"},),
)


def with_text(text: str, title: str = MESSAGE.title) -> Message:
    return Message(MESSAGE.kind, MESSAGE.severity, title, text, NOW)


# --- outbox


def test_the_outbox_has_a_text_to_read_and_all_of_it_as_json(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "taxi_assets.alerts"):
        OutboxNotifier(str(tmp_path / "a lake" / "alerts")).send(MESSAGE)
    text, structured = sorted((tmp_path / "a lake" / "alerts").iterdir(), key=lambda path: path.suffix, reverse=True)
    assert text.name == "20240603T080000.000000Z-failed_check.txt"
    assert text.read_text() == f"[taxi] ERROR: {MESSAGE.title}\n\n{MESSAGE.text}\n"
    assert json.loads(structured.read_text()) == {
        "kind": MESSAGE.kind,
        "severity": MESSAGE.severity,
        "title": MESSAGE.title,
        "text": MESSAGE.text,
        "at": NOW.isoformat(),
        "problems": list(MESSAGE.problems),
    }
    (record,) = caplog.records
    line = json.loads(record.getMessage())
    assert (record.levelname, line["kind"], line["title"]) == ("ERROR", "failed_check", MESSAGE.title)
    assert (line["problems"], line["file"]) == (1, str(text))


def test_an_outbox_that_cannot_be_written_has_not_delivered(tmp_path: Path) -> None:
    (tmp_path / "alerts").write_text("a file")
    with pytest.raises(NotDelivered, match="What to do: see to the disk"):
        OutboxNotifier(str(tmp_path / "alerts")).send(MESSAGE)


def test_a_lake_in_s3_has_its_outbox_there(aws: AwsEmulator) -> None:
    aws.client("s3").create_bucket(Bucket=BUCKET)
    notifier = notifier_of(Settings(profile="aws", lake=f"s3://{BUCKET}/lake"))  # type: ignore[arg-type]
    notifier.send(MESSAGE)
    listed = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="lake/alerts/")["Contents"]
    assert [found["Key"].rpartition(".")[2] for found in listed] == ["json", "txt"]


# --- SNS


@pytest.fixture
def topic(aws: AwsEmulator) -> tuple[str, Callable[[], list[dict[str, Any]]]]:
    """A topic, and what has arrived in a queue that subscribes to it for errors alone."""
    aws.faults.clear()
    own = uuid.uuid4().hex[:8]
    arn: str = aws.client("sns").create_topic(Name=f"alerts-{own}")["TopicArn"]
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=f"mailbox-{own}")["QueueUrl"]
    aws.client("sns").subscribe(
        TopicArn=arn,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:mailbox-{own}",
        Attributes={"FilterPolicy": json.dumps({"severity": ["ERROR"]})},
    )

    def arrived() -> list[dict[str, Any]]:
        got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for one in got:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
        return [json.loads(one["Body"]) for one in got]

    return arn, arrived


def test_what_is_sent_by_sns_arrives_in_a_subscribed_queue(
    topic: tuple[str, Callable[[], list[dict[str, Any]]]],
) -> None:
    arn, arrived = topic
    notifier = notifier_of(Settings(alert_topic_arn=arn))
    assert isinstance(notifier, SnsNotifier)
    notifier.send(MESSAGE)
    (got,) = arrived()
    assert got["Subject"] == f"[taxi] ERROR: {MESSAGE.title}"
    assert got["Message"] == MESSAGE.text
    assert {name: one["Value"] for name, one in got["MessageAttributes"].items()} == {
        "severity": "ERROR",
        "kind": "failed_check",
    }


def test_a_subscription_can_filter_by_severity(topic: tuple[str, Callable[[], list[dict[str, Any]]]]) -> None:
    arn, arrived = topic
    SnsNotifier(arn).send(Message("warning", "WARN", "t", "x", NOW))
    assert arrived() == []


def test_a_subject_is_cut_to_what_sns_takes(topic: tuple[str, Callable[[], list[dict[str, Any]]]]) -> None:
    arn, arrived = topic
    SnsNotifier(arn).send(with_text("x", f"a\nb é {'c' * 100}"))
    (got,) = arrived()
    assert got["Subject"].startswith("[taxi] ERROR: a b ? ccc")
    assert got["Subject"].endswith("...")
    assert len(got["Subject"]) == 100


def test_a_text_that_sns_does_not_take_goes_in_parts_and_all_of_it_arrives(
    topic: tuple[str, Callable[[], list[dict[str, Any]]]],
) -> None:
    arn, arrived = topic
    text = "\n".join(f"line {number} é" for number in range(20_000)) + "\n" + "long " * 60_000
    SnsNotifier(arn).send(with_text(text))
    parts: list[dict[str, Any]] = []
    while more := arrived():
        parts += more
    parts.sort(key=lambda part: str(part["Subject"]))
    assert len(parts) > 1
    assert "".join(part["Message"] for part in parts) == text
    assert all(
        len(part["Message"].encode()) <= 256_000 and part["Subject"].endswith(f" of {len(parts)})") for part in parts
    )


def test_a_message_that_sns_refuses_is_not_delivered_and_says_what_to_do(
    aws: AwsEmulator, topic: tuple[str, Callable[[], list[dict[str, Any]]]]
) -> None:
    arn, arrived = topic
    with pytest.raises(NotDelivered, match="check TAXI_ALERT_TOPIC_ARN"):
        SnsNotifier(f"{arn}-of-another").send(MESSAGE)
    aws.faults.fail("sns", "Publish", "InternalError", "We are unwell", 500, times=2)
    with pytest.raises(NotDelivered, match="We are unwell"):
        SnsNotifier(arn).send(MESSAGE)
    assert arrived() == []


def test_a_short_outage_of_sns_is_bridged(
    aws: AwsEmulator, topic: tuple[str, Callable[[], list[dict[str, Any]]]]
) -> None:
    arn, arrived = topic
    aws.faults.fail("sns", "Publish", "InternalError", "We are unwell", 500)
    SnsNotifier(arn).send(MESSAGE)
    assert len(arrived()) == 1


# --- Slack


@contextmanager
def slack(status: int = 200) -> Iterator[tuple[SlackNotifier, list[dict[str, Any]]]]:
    """A webhook on 127.0.0.1 and what was posted to it."""
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append({"path": self.path, **json.loads(body)})
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield SlackNotifier(SecretStr(f"http://127.0.0.1:{server.server_port}/{SECRET}")), posted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_slack_is_posted_title_and_text() -> None:
    with slack() as (notifier, posted):
        notifier.send(MESSAGE)
    assert posted == [{"path": f"/{SECRET}", "text": f"*[taxi] ERROR: {MESSAGE.title}*\n{MESSAGE.text}"}]


def test_a_text_that_is_too_long_for_slack_says_that_it_was_cut() -> None:
    with slack() as (notifier, posted):
        notifier.send(with_text("x" * 50_000))
    assert len(posted[0]["text"]) < 40_000
    assert posted[0]["text"].endswith("the e-mail, or the outbox, has all of it.")


def test_slack_that_refuses_or_is_away_has_not_delivered_and_the_error_has_no_secret() -> None:
    with slack(status=404) as (notifier, _), pytest.raises(NotDelivered, match="Slack answered 404") as refused:
        notifier.send(MESSAGE)
    with pytest.raises(NotDelivered, match=r"could not be reached \(ConnectionError\)") as away:
        notifier.send(MESSAGE)  # its server is gone
    for caught in (refused, away):
        assert SECRET not in str(caught.getrepr(chain=True, showlocals=False))


def test_the_webhook_is_in_no_repr_no_setting_that_is_shown_and_no_error() -> None:
    settings = Settings(slack_webhook_url=SecretStr(f"https://hooks.slack.com/services/{SECRET}"))
    assert slack_of(settings).is_wanted
    assert not slack_of(Settings()).is_wanted
    shown = [repr(settings), str(settings), repr(slack_of(settings)), settings.model_dump_json()]
    resources = build_definitions(settings).get_repository_def().get_top_level_resources()
    shown += [
        repr(resources["slack"].__dict__),
        repr(
            resources["slack"].config_schema.as_field().default_value_as_json_str
            if resources["slack"].config_schema.default_provided
            else ""
        ),
    ]
    assert all(SECRET not in text for text in shown)


@pytest.mark.parametrize(
    "given",
    [
        {"TAXI_SLACK_WEBHOOK_URL": f"http://hooks.example/{SECRET}"},
        {"TAXI_SLACK_WEBHOOK_URL": f"https://hooks.example/{SECRET}", "TAXI_ENGINE": "flink"},
        {"TAXI_SLACK_WEBHOOK_URL": f"https://hooks.example/{SECRET}", "TAXI_LAKE": "ftp://x"},
        {"TAXI_SLACK_WEBHOOK_URL": f"https://hooks.example/{SECRET}", "TAXI_GLUE_WORKERS": "1"},
    ],
)
def test_no_wrong_setting_shows_the_webhook(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="TAXI_") as refused:
        Settings()
    assert SECRET not in str(refused.getrepr(chain=True, showlocals=False))


def test_a_topic_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_ALERT_TOPIC_ARN", "arn:aws:sns:us-east-1:1:x.fifo")
    with pytest.raises(ValueError, match="TAXI_ALERT_TOPIC_ARN"):
        Settings()
