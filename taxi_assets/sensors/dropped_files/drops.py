"""Files that people drop into the lake's inbox: what S3 and folders say about them, and what is to be done.

Belongs here: reading events, deciding, as pure functions. Does not: the queue, the sensor (``dropped_files``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from glue_jobs.contracts import tlc
from glue_jobs.errors import has_control, in_a_line
from glue_jobs.sources.folder import tag_of
from taxi_assets.lake.append_tables import LandedFile, in_force, refusal_since
from taxi_assets.sensors.earlier_runs import CONTENT_TAG, MONTH_TAG, Again, EarlierRun, Outcome, again, undone_by

DROP_TAG, FILE_TAG, TIME_TAG = "taxi/drop", "taxi/dropped_file", "taxi/dropped_at"
"""Tags of a run: what tells the drop from any other, the file, and when it was dropped."""
SETTLED = timedelta(seconds=10)
"""A file that was changed less long ago may still be written."""
_CLOCKS_DIFFER = timedelta(minutes=15)
"""S3's clock from ours."""
_LONGEST, _SHOWN = 2_048, 400
"""Characters of an object's name (S3: 1,024 bytes) with bucket and tags; characters of what is told of a message."""
_PREFIX, _SUFFIX = tlc.trip_file_name("2024-02").split("2024-02")


@dataclass(frozen=True)
class Drop:
    """A trip file that was dropped. ``key`` tells it from any other drop, another one of the same file too."""

    month: str
    uri: str
    tag: str
    at: datetime
    key: str

    @property
    def tags(self) -> dict[str, str]:
        """What its runs are tagged with."""
        told = {DROP_TAG: self.key, FILE_TAG: self.uri, TIME_TAG: self.at.isoformat()}
        return {MONTH_TAG: self.month, CONTENT_TAG: self.tag, **told}

    @property
    def folder(self) -> str:
        """Where it lies."""
        return self.uri.rpartition("/")[0]


@dataclass(frozen=True)
class DropDecision:
    """What to do about a drop. ``settled``: nothing is left to do, so that its message may be forgotten."""

    settled: bool
    again: Again


def month_in(name: str) -> str:
    """The month that a file's name says; empty if it is not called as the TLC's trip files are."""
    month = name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
    try:
        return month if tlc.trip_file_name(month) == name else ""
    except ValueError:
        return ""


def drops_in_folder(inbox: Path, months: Iterable[str], now: datetime) -> tuple[list[Drop], list[str]]:
    """The trip files below ``inbox``, and what else lies there, with what is wrong with it.

    A file is dropped when it is copied (ctime), even if it keeps its age (mtime).
    """
    known = frozenset(months)
    drops, others = [], []
    for path in sorted(inbox.rglob("*")):
        if path.name.startswith(".") or not path.is_file():
            continue
        month = month_in(path.name)
        if has_control(str(path)):
            others.append(f"{in_a_line(str(path))}: its name, or that of its folder, has a control character")
            continue
        if month not in known:
            others.append(f"{path}: {_complaint(month)}")
            continue
        found = path.stat()
        at = datetime.fromtimestamp(max(found.st_mtime, found.st_ctime), timezone.utc)
        if now - at < SETTLED:
            others.append(f"{path}: it may still be written; it is looked at again")
            continue
        drops.append(Drop(month, str(path), tag_of(found), at, f"{path}|{tag_of(found)}"))
    return drops, others


def drops_in_message(body: str, inbox: str, months: Iterable[str], now: datetime) -> tuple[list[Drop], list[str]]:
    """The drops that a message names, and what is wrong with what else it says.

    ``inbox`` is the ``s3://…`` folder. Messages are S3's notifications, its test event, and EventBridge's events.
    Whoever may write to the queue can say anything: one message must not stop those behind it, or outlast later drops.
    """
    known = frozenset(months)
    drops = []
    try:
        objects, others = _objects_in(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        return [], [in_a_line(f"it is no event of S3 ({type(error).__name__}: {error}): {body[:200]}", _SHOWN)]
    for one in objects:
        month = month_in(one.uri.rpartition("/")[2])
        told = f"{one.uri}{one.tag}{one.order}"
        if not one.uri.startswith(f"{inbox}/") or ".." in one.uri.split("/"):
            others.append(f"{one.uri}: it does not lie in {inbox}")
        elif month not in known:
            others.append(f"{one.uri}: {_complaint(month)}")
        elif has_control(told) or len(told) > _LONGEST:
            others.append(f"its name, tag or number is none that S3 gives: {one.uri}")
        elif one.at > now + _CLOCKS_DIFFER:
            others.append(f"{one.uri}: it was dropped at {one.at.isoformat()}, which has not come yet")
        else:
            drops.append(
                Drop(month, one.uri, one.tag, one.at, f"{one.uri}|{one.tag}|{one.order or one.at.isoformat()}")
            )
    return drops, [in_a_line(other, _SHOWN) for other in others]


def drop_of(run: EarlierRun) -> Drop | None:
    """The drop that a run was asked for; None if it was asked for something else."""
    if DROP_TAG not in run.tags:
        return None
    at = datetime.fromisoformat(run.tags[TIME_TAG])
    return Drop(run.tags[MONTH_TAG], run.tags[FILE_TAG], run.content, at, run.tags[DROP_TAG])


def decide_drop(
    drop: Drop,
    others: Sequence[Drop],
    runs: Sequence[EarlierRun],
    landed: Sequence[LandedFile],
    code: str,
    now: datetime,
) -> DropDecision:
    """What to do about a drop.

    ``others`` are drops that are known besides, ``runs`` those that sensors asked for of the month, the newest first,
    ``landed`` the ledger's history of it.
    """
    own = [run for run in runs if run.tags.get(DROP_TAG) == drop.key]
    at = drop.at.astimezone(timezone.utc).replace(tzinfo=None)
    since = [file for file in landed if file.etag == drop.tag and file.landed_at >= at]
    refusal = refusal_since(since, in_force(landed))
    undone = undone_by(refusal.landed_at, own) if refusal else []
    verdict = again([run for run in own if run not in undone], code, now, undone)
    dropped = [other for other in (*others, *filter(None, map(drop_of, runs))) if other.month == drop.month]
    if newer := next((other for other in dropped if (other.at, other.key) > (drop.at, drop.key)), None):
        return DropDecision(True, Again(False, verdict.attempt, f"{newer.uri} was dropped later"))
    if refusal is not None and refusal.refused_by == code:
        return DropDecision(True, Again(False, verdict.attempt, f"it was refused: {refusal.refused_because}"))
    if since and refusal is None:
        return DropDecision(True, Again(False, verdict.attempt, "it is landed"))
    return DropDecision(any(run.outcome is not Outcome.NOT_LAUNCHED for run in own), verdict)


@dataclass(frozen=True)
class _Object:
    uri: str
    tag: str
    at: datetime
    order: str


def _objects_in(event: Mapping[str, Any]) -> tuple[list[_Object], list[str]]:
    """Objects that were made, and what else the event says."""
    if event.get("Event") == "s3:TestEvent":
        return [], ["S3's test event: the queue hears of the bucket"]
    if "detail-type" in event:
        if event["detail-type"] != "Object Created":
            return [], [f"an event {event['detail-type']!r}"]
        detail = event["detail"]
        found = detail["object"]
        uri = f"s3://{detail['bucket']['name']}/{found['key']}"
        return [_object(uri, found["etag"], event["time"], found.get("sequencer", ""))], []
    objects, others = [], []
    for record in event["Records"]:
        found = record["s3"]["object"]
        uri = f"s3://{record['s3']['bucket']['name']}/{unquote_plus(found['key'])}"
        if record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
            objects.append(_object(uri, found["eTag"], record["eventTime"], found.get("sequencer", "")))
        else:
            others.append(f"{uri}: an event {record['eventName']!r}")
    return objects, others


def _object(uri: str, tag: Any, at: str, order: Any) -> _Object:
    """TypeError if tag or order are no text; what is told may be any JSON."""
    if not (isinstance(tag, str) and isinstance(order, str)):
        raise TypeError(f"tag {tag!r} and order {order!r}")
    return _Object(uri, tag, _moment(at), order)


def _moment(text: str) -> datetime:
    """In UTC; OverflowError for one that has no place there."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _complaint(month: str) -> str:
    if not month:
        return f"it is not called as a trip file is ({_PREFIX}YYYY-MM{_SUFFIX})"
    return f"{month} has not ended, or is before {tlc.FIRST_MONTH} or the first month by TAXI_FROM"
