from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.sensors.dropped_files.drops import (
    Drop,
    decide_drop,
    drop_of,
    drops_in_folder,
    drops_in_message,
    month_in,
)
from taxi_assets.sensors.earlier_runs import EarlierRun, Outcome

NOW = datetime(2024, 6, 1, 12, tzinfo=timezone.utc)
INBOX = "s3://lake/nyc/raw/inbox"
MONTHS = ["2024-03", "2024-02"]
CODE = "code 1"


def notified(
    key: str = "nyc/raw/inbox/yellow_tripdata_2024-02.parquet", event: str = "ObjectCreated:Put", **found: str
) -> dict[str, Any]:
    """A record of S3's notification, as the S3 user guide shows it."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": "2024-06-01T10:00:00.123Z",
        "eventName": event,
        "s3": {"bucket": {"name": "lake"}, "object": {"key": key, "size": 5, "eTag": "e1", **found}},
    }


def read(*records: dict[str, Any]) -> tuple[list[Drop], list[str]]:
    return drops_in_message(json.dumps({"Records": records}), INBOX, MONTHS, NOW)


@pytest.mark.parametrize(
    ("name", "month"),
    [
        ("yellow_tripdata_2024-02.parquet", "2024-02"),
        ("yellow_tripdata_2024-13.parquet", ""),
        ("green_tripdata_2024-02.parquet", ""),
        ("yellow_tripdata_2024-02.parquet.part", ""),
        ("2024-02", ""),
    ],
)
def test_the_month_is_in_the_name(name: str, month: str) -> None:
    assert month_in(name) == month


def test_a_notification_of_s3_tells_of_a_drop() -> None:
    (drop,), others = read(notified(sequencer="0A"))
    uri = f"{INBOX}/yellow_tripdata_2024-02.parquet"
    at = datetime(2024, 6, 1, 10, 0, 0, 123000, tzinfo=timezone.utc)
    assert drop == Drop("2024-02", uri, "e1", at, f"{uri}|e1|0A")
    assert drop.folder == INBOX
    assert others == []


def test_an_event_of_eventbridge_tells_of_the_same_drop() -> None:
    event = {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": "2024-06-01T10:00:00Z",
        "detail": {
            "bucket": {"name": "lake"},
            "object": {
                "key": "nyc/raw/inbox/yellow_tripdata_2024-02.parquet",
                "etag": "e1",
                "sequencer": "0A",
            },
        },
    }
    (drop,), _ = drops_in_message(json.dumps(event), INBOX, MONTHS, NOW)
    assert drop.key == read(notified(sequencer="0A"))[0][0].key
    _, others = drops_in_message(json.dumps({**event, "detail-type": "Object Deleted"}), INBOX, MONTHS, NOW)
    assert others == ["an event 'Object Deleted'"]


def test_keys_come_quoted_and_folders_within_the_inbox_are_part_of_it() -> None:
    (drop,), _ = read(notified("nyc/raw/inbox/from+Ana/%C3%A9t%C3%A9/yellow_tripdata_2024-02.parquet"))
    assert drop.folder == f"{INBOX}/from Ana/été"


def test_a_message_may_tell_of_several_drops() -> None:
    drops, others = read(
        notified(),
        notified("nyc/raw/inbox/readme.txt"),
        notified("nyc/raw/inbox/yellow_tripdata_2024-03.parquet", "s3:ObjectCreated:CompleteMultipartUpload"),
    )
    assert [drop.month for drop in drops] == ["2024-02", "2024-03"]
    assert len(others) == 1


def telling(key: str = "nyc/raw/inbox/yellow_tripdata_2024-02.parquet", event: str = "", **changed: Any) -> str:
    """A message of one record, changed."""
    record = notified(key, event or "ObjectCreated:Put")
    for name, value in changed.items():
        (record["s3"]["object"] if name in record["s3"]["object"] else record)[name] = value
    return json.dumps({"Records": [record]})


FILE = "yellow_tripdata_2024-02.parquet"
NO_DROPS: list[tuple[str, str, str]] = [
    ("a test of S3", json.dumps({"Event": "s3:TestEvent", "Bucket": "lake"}), "S3's test event"),
    ("no JSON", "not json", "it is no event of S3"),
    ("nothing", "", "it is no event of S3"),
    ("a list", "[]", "it is no event of S3"),
    ("a number", "5", "it is no event of S3"),
    ("an object of another kind", "{}", "it is no event of S3"),
    ("records that are none", '{"Records": [5]}', "it is no event of S3"),
    ("JSON nested without end", "[" * 100_000, "it is no event of S3 (RecursionError"),
    ("an event of EventBridge without its object", '{"detail-type": "Object Created"}', "it is no event of S3"),
    ("a file that is no trip file", telling("nyc/raw/inbox/readme.txt"), "not called as a trip file"),
    ("a file beside the inbox", telling(f"nyc/raw/{FILE}"), f"does not lie in {INBOX}"),
    ("a way out of the inbox", telling(f"nyc/raw/inbox/../../{FILE}"), f"does not lie in {INBOX}"),
    ("a file of a month before the first", telling("nyc/raw/inbox/yellow_tripdata_2009-01.parquet"), "before 2011-01"),
    ("a file of a month to come", telling("nyc/raw/inbox/yellow_tripdata_2024-06.parquet"), "has not ended"),
    ("a file of a month 13", telling("nyc/raw/inbox/yellow_tripdata_2024-13.parquet"), "not called as a trip file"),
    (
        "a month in the digits of another script",
        telling("nyc/raw/inbox/yellow_tripdata_20\uff12\uff14-02.parquet"),
        "not called as a trip file",
    ),
    ("a file that was deleted", telling(event="ObjectRemoved:Delete"), "an event 'ObjectRemoved:Delete'"),
    ("a tag that is no text", telling(eTag={"a": 1}), "it is no event of S3 (TypeError: tag"),
    ("a tag that no tag is", telling(eTag="x" * 5_000), "none that S3 gives"),
    ("a name with an order to the terminal", telling(f"nyc/raw/inbox/%1B[2J/{FILE}"), "\\x1b[2J"),
    ("a name that cannot be written as UTF-8", telling(f"nyc/raw/inbox/\ud800/{FILE}"), "none that S3 gives"),
    ("a time to come", telling(eventTime="2024-06-02T00:00:00Z"), "which has not come yet"),
    (
        "a time that has no place in the calendar",
        telling(eventTime="0001-01-01T00:00:00+14:00"),
        "it is no event of S3",
    ),
    ("a time that is none", telling(eventTime="yesterday"), "it is no event of S3"),
]


@pytest.mark.bad_input("A message of the queue")
@pytest.mark.parametrize(("body", "said"), [one[1:] for one in NO_DROPS], ids=[one[0] for one in NO_DROPS])
def test_what_is_no_drop_is_said(body: str, said: str) -> None:
    drops, (other,) = drops_in_message(body, INBOX, MONTHS, NOW)
    assert drops == []
    assert said in other
    assert other.isprintable()


@pytest.mark.bad_input(
    "A message of the queue",
    kind="on a laptop, a file with an order to the terminal in its name",
    said="has a control character",
)
def test_a_file_whose_name_is_an_order_to_the_terminal_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "\x1b[2J").mkdir()
    (tmp_path / "\x1b[2J" / FILE).write_text("x")
    drops, (other,) = drops_in_folder(tmp_path, MONTHS, datetime.now(timezone.utc) + timedelta(minutes=1))
    assert drops == []
    assert other.endswith(
        "\\x1b[2J/yellow_tripdata_2024-02.parquet: its name, or that of its folder, has a control character"
    )


def test_a_folder_tells_of_its_trip_files_and_of_what_else_lies_there(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc) + timedelta(minutes=1)
    (tmp_path / "sub").mkdir()
    for name in ("sub/yellow_tripdata_2024-02.parquet", "yellow_tripdata_2024-06.parquet", "notes.txt", ".hidden"):
        (tmp_path / name).write_text("x")
    old = tmp_path / "sub" / "yellow_tripdata_2024-02.parquet"
    os.utime(old, (1, 1))  # an old file, copied here a moment ago
    (drop,), others = drops_in_folder(tmp_path, MONTHS, now)
    assert (drop.month, drop.uri, drop.tag) == ("2024-02", str(old), "1-1000000000")
    assert now - drop.at < timedelta(minutes=2)
    assert [other.partition(": ")[2] for other in others] == [
        "it is not called as a trip file is (yellow_tripdata_YYYY-MM.parquet)",
        "2024-06 has not ended, or is before 2011-01 or the first month by TAXI_FROM",
    ]
    assert drops_in_folder(tmp_path / "none", MONTHS, now) == ([], [])


def test_a_file_that_may_still_be_written_is_left_for_the_next_look(tmp_path: Path) -> None:
    (tmp_path / "yellow_tripdata_2024-02.parquet").write_text("x")
    drops, (other,) = drops_in_folder(tmp_path, MONTHS, datetime.now(timezone.utc))
    assert drops == []
    assert "may still be written" in other


def drop(name: str = "a", tag: str = "e1", hours_ago: float = 2, month: str = "2024-02") -> Drop:
    uri = f"{INBOX}/{name}/yellow_tripdata_{month}.parquet"
    at = NOW - timedelta(hours=hours_ago)
    return Drop(month, uri, tag, at, f"{uri}|{tag}|{at.isoformat()}")


def run(of: Drop, outcome: Outcome, hours_ago: float = 1, code: str = CODE) -> EarlierRun:
    tags = {**of.tags, "taxi/attempt": "1", "taxi/code": code}
    return EarlierRun("12345678-9", outcome, NOW - timedelta(hours=hours_ago), tags)


def landed(tag: str, hours_ago: float) -> LandedFile:
    at = (NOW - timedelta(hours=hours_ago)).replace(tzinfo=None)
    return LandedFile("2024-02", "nyc_taxi", "u", "/f", tag, tag, 5, 1, "{}", "r", at)


def decided(
    *runs: EarlierRun, others: list[Drop] | None = None, ledger: list[LandedFile] | None = None
) -> tuple[bool, bool]:
    """Whether a run is asked for, and whether the drop is settled."""
    found = decide_drop(drop(), others or [], runs, ledger or [], CODE, NOW)
    return found.again.request, found.settled


def test_a_drop_is_asked_for_and_its_message_kept_until_the_run_is_there() -> None:
    assert decided() == (True, False)
    assert decided(run(drop(), Outcome.NOT_LAUNCHED)) == (True, False)
    for outcome in (Outcome.ACTIVE, Outcome.SUCCEEDED, Outcome.CANCELED, Outcome.REFUSED):
        assert decided(run(drop(), outcome)) == (False, True)


def test_a_drop_whose_run_failed_for_a_cause_that_may_pass_is_asked_for_again() -> None:
    assert decided(run(drop(), Outcome.FAILED, hours_ago=0.4)) == (False, True)
    assert decided(run(drop(), Outcome.FAILED, hours_ago=0.6)) == (True, True)
    assert decided(run(drop(), Outcome.REFUSED, code="code 0")) == (True, True)


def test_an_event_that_comes_late_does_not_undo_a_later_drop() -> None:
    later = drop("b", hours_ago=1)
    assert decided(others=[later]) == (False, True)
    assert decided(run(later, Outcome.SUCCEEDED)) == (False, True)
    assert decided(others=[drop("b", hours_ago=3), drop("b", hours_ago=1, month="2024-03")]) == (True, False)


def test_the_same_bytes_dropped_again_are_asked_for_again() -> None:
    assert decided(run(drop(hours_ago=5), Outcome.SUCCEEDED, 4), ledger=[landed("e1", 4), landed("e2", 3)]) == (
        True,
        False,
    )


def test_a_drop_that_the_ledger_has_is_settled_even_if_its_run_is_forgotten() -> None:
    assert decided(ledger=[landed("e1", 1)]) == (False, True)


@pytest.mark.parametrize("runs", [[run(drop(), Outcome.SUCCEEDED, 1.5)], []], ids=["its run", "forgotten"])
def test_a_drop_that_staging_refused_is_asked_for_again_only_when_the_code_has_changed(runs: list[EarlierRun]) -> None:
    def history(code: str) -> list[LandedFile]:
        return [landed("e1", 1.5), replace(landed("e1", 1), refused_because="why", refused_by=code)]

    assert decided(*runs, ledger=history(CODE)) == (False, True)
    assert decide_drop(drop(), [], runs, history(CODE), CODE, NOW).again.why == "it was refused: why"
    assert decided(*runs, ledger=history("code 0"))[0]
    assert decided(*runs, ledger=[*history("code 0"), landed("e1", 0.5)]) == (False, True)


def test_a_run_tells_what_drop_it_was_asked_for() -> None:
    assert drop_of(run(drop(), Outcome.FAILED)) == drop()
    assert drop_of(EarlierRun("r", Outcome.FAILED, NOW, {"taxi/month": "2024-02"})) is None
