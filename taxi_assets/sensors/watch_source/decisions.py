"""What is to be done about a month that the watcher looked at.

Belongs here: decisions, as pure functions. Does not: looking, asking, or remembering (``source_watcher``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from glue_jobs.sources import Seen, Sighting
from taxi_assets.lake.append_tables import LandedFile, in_force, refusal_since
from taxi_assets.sensors.earlier_runs import EarlierRun, Outcome, again, undone_by


class MonthState(str, Enum):
    """What is known of a month's file at the source, against what is landed."""

    NOT_PUBLISHED = "not published"
    NEW = "new"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
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
    current = in_force(landed)
    if sighting.state in _NOT_SEEN:
        gone = current is not None and current.url == sighting.url and sighting.state is Seen.NOT_PUBLISHED
        return Decision(_NOT_SEEN[sighting.state], sighting.why + ("; it was there before" if gone else ""))
    if current is not None and is_in_force(sighting, landed):
        return Decision(MonthState.UNCHANGED, f"landed on {current.landed_at:%Y-%m-%d}")
    of_sighting = [file for file in landed if (file.url, file.etag) == (sighting.url, sighting.tag)]
    refusal = refusal_since(of_sighting, current)
    if refusal is not None and refusal.refused_by == code:
        said = f"refused on {refusal.landed_at:%Y-%m-%d}, by the same code as today's: {refusal.refused_because}"
        return Decision(MonthState.REFUSED, said)
    if current is not None and current.url != sighting.url and of_sighting and refusal is None:
        return Decision(MonthState.UNCHANGED, f"{current.url} was put in its place by hand")
    state = MonthState.NEW if current is None else MonthState.REPUBLISHED
    active = next((run for run in runs if run.outcome is Outcome.ACTIVE), None)
    if active is not None:
        return Decision(state, f"{active.name} of the month is on its way")
    of_content = [run for run in runs if run.content == sighting.tag]
    replaced = refusal or (current if current is not None and current.url == sighting.url else None)
    undone = undone_by(replaced.landed_at, of_content) if replaced is not None else []
    valid = [run for run in of_content if run not in undone]
    if valid and valid[0].outcome is Outcome.SUCCEEDED:
        return Decision(MonthState.UNCHANGED, f"{valid[0].name} found the bytes that are in force, under another tag")
    verdict = again(valid, code, now, undone)
    why = "it was refused, but by other code" if refusal is not None and not valid else verdict.why
    return Decision(state, why, verdict.request, verdict.attempt)


def is_in_force(sighting: Sighting, landed: Sequence[LandedFile]) -> bool:
    """Whether the content that was seen is the one in force."""
    current = in_force(landed)
    return current is not None and current.etag == sighting.tag
