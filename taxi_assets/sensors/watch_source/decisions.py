"""What is to be done about a month that the watcher looked at.

Belongs here: decisions, as pure functions. Does not: looking, asking, or remembering (``source_watcher``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum

from glue_jobs.sources import Seen, Sighting
from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.sensors.earlier_runs import EarlierRun, Outcome, again


class MonthState(str, Enum):
    """What is known of a month's file at the source, against what is landed."""

    NOT_PUBLISHED = "not published"
    NEW = "new"
    UNCHANGED = "unchanged"
    REPUBLISHED = "republished"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"


_NOT_SEEN = {
    Seen.NOT_PUBLISHED: MonthState.NOT_PUBLISHED,
    Seen.THROTTLED: MonthState.THROTTLED,
    Seen.UNREACHABLE: MonthState.UNREACHABLE,
}


@dataclass(frozen=True)
class Decision:
    """The state of a month, whether a run of it is asked for, with which number of attempt, and why or why not."""

    state: MonthState
    why: str
    request: bool = False
    attempt: int = 0


def decide(
    sighting: Sighting, landed: Sequence[LandedFile], runs: Sequence[EarlierRun], code: str, now: datetime
) -> Decision:
    """What to do about a month.

    ``landed`` is the ledger's history of it, the oldest first, ``runs`` those that sensors asked for, the newest first,
    ``code`` the version of the code that would judge the file.
    """
    in_force = landed[-1] if landed else None
    if sighting.state in _NOT_SEEN:
        gone = in_force is not None and in_force.url == sighting.url and sighting.state is Seen.NOT_PUBLISHED
        return Decision(_NOT_SEEN[sighting.state], sighting.why + ("; it was there before" if gone else ""))
    if in_force is not None and is_in_force(sighting, landed):
        return Decision(MonthState.UNCHANGED, f"landed on {in_force.landed_at:%Y-%m-%d}")
    if in_force is not None and in_force.url != sighting.url and _was_landed(sighting, landed):
        return Decision(MonthState.UNCHANGED, f"{in_force.url} was put in its place by hand")
    state = MonthState.NEW if in_force is None else MonthState.REPUBLISHED
    active = next((run for run in runs if run.outcome is Outcome.ACTIVE), None)
    if active is not None:
        return Decision(state, f"{active.name} of the month is on its way")
    of_content = [run for run in runs if run.content == sighting.tag]
    undone = [run for run in of_content if _is_undone(run, in_force, sighting)]
    valid = [run for run in of_content if run not in undone]
    if valid and valid[0].outcome is Outcome.SUCCEEDED:
        return Decision(MonthState.UNCHANGED, f"{valid[0].name} found the bytes that are in force, under another tag")
    verdict = again(valid, code, now, undone)
    return Decision(state, verdict.why, verdict.request, verdict.attempt)


def is_in_force(sighting: Sighting, landed: Sequence[LandedFile]) -> bool:
    """Whether the content that was seen is the one that was landed last."""
    return bool(landed) and landed[-1].etag == sighting.tag


def _was_landed(sighting: Sighting, landed: Sequence[LandedFile]) -> bool:
    return any(file.url == sighting.url and file.etag == sighting.tag for file in landed)


def _is_undone(run: EarlierRun, in_force: LandedFile | None, sighting: Sighting) -> bool:
    """Whether what a run has landed was later replaced from the same place: its content has come back since."""
    return (
        run.outcome is Outcome.SUCCEEDED
        and in_force is not None
        and in_force.url == sighting.url
        and run.ended < in_force.landed_at.replace(tzinfo=timezone.utc)
    )
