"""Dagster runs whose process was killed: Dagster itself takes them for running until they are too old.

Belongs here: telling them, and reporting them as failed. Does not: what they left running (``jobs``).

A run's process holds a lock on a file of its own in the instance's folder. The kernel takes a lock back however its
process ends, also with the machine; so there is no question of a process number that another process has by now.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus

ACTIVE = [DagsterRunStatus.QUEUED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]
"""What an unfinished run's status may be."""
_LOCKS = "living"
KILLED = "its process was killed, or ended with the machine; nothing is half published, readers see what they saw"


@contextlib.contextmanager
def known_to_live(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Hold the lock of a run that this process executes."""
    lock = _lock_of(instance, run_id)
    lock.parent.mkdir(exist_ok=True)
    unseen = lock.with_suffix(".new")
    with unseen.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        unseen.replace(lock)  # locked before anybody looks
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def is_lost(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the process of an unfinished run is gone; False if it never had a lock here, as on another machine."""
    return not run.is_finished and _is_let_go(_lock_of(instance, run.run_id))


def _is_let_go(lock: Path) -> bool:
    """Whether nobody holds the lock any more; False if there is none."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    return True


def at_work_since(home: Path) -> datetime | None:
    """When the oldest run began (UTC) that a process of this machine is at work on; None if there is none.

    ``home`` is the instance's folder. By the locks alone: a run that slept for days with its laptop is ended in
    Dagster's books, and goes on.
    """
    begun = []
    for lock in Path(home, _LOCKS).glob("*"):
        with contextlib.suppress(FileNotFoundError):  # the run has just ended
            if not _is_let_go(lock):
                begun.append(lock.stat().st_mtime)
    return datetime.fromtimestamp(min(begun), timezone.utc) if begun else None


def report_lost(instance: dg.DagsterInstance) -> list[str]:
    """Report the lost runs as failed, so that the queue goes on and sensors ask for them again; returns their ids."""
    lost = [run for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE)) if is_lost(instance, run)]
    for run in lost:
        instance.report_run_failed(run, KILLED)
        _lock_of(instance, run.run_id).unlink(missing_ok=True)
    return [run.run_id for run in lost]


def _lock_of(instance: dg.DagsterInstance, run_id: str) -> Path:
    return Path(instance.root_directory, _LOCKS, run_id)
