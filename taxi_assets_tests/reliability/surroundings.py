"""Bad surroundings: too few file descriptors, too little memory, a full disk, a lake that nobody may write to, a lock.

Belongs here: making a machine bad for one process, and good again. Does not: being killed (``campaign``), other
processes of this project (``races``).

What is bad may make a command fail, in words, and nothing else; when it is over, the next run succeeds.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from taxi_assets_tests.conftest import MONTH, copy_of
from taxi_assets_tests.reliability import scenarios
from taxi_assets_tests.reliability.campaign import (
    BROKEN,
    REFUSED,
    UNDISTURBED,
    Campaign,
    Outcome,
    Work,
    last_words,
    speaks,
)
from taxi_assets_tests.reliability.invariants import broken
from taxi_assets_tests.reliability.processes import Preparation
from taxi_assets_tests.reliability.scenarios import FIRST, SECOND, Place

_MIB = 1 << 20


def few_descriptors(campaign: Campaign) -> None:
    """128 of them, for the command and for each process that it starts."""
    limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (128, 128))
    _tell(campaign, campaign.fresh(), "128 file descriptors", [limit])


def little_memory(campaign: Campaign) -> None:
    """Address space for the command and for each process that it starts."""
    size = campaign.chance.randrange(600, 4000) * _MIB
    limit = partial(resource.setrlimit, resource.RLIMIT_AS, (size, size))
    _tell(campaign, campaign.fresh(), "0.6 to 4 GB of address space", [limit])


def no_long_files(campaign: Campaign) -> None:
    """What a disk quota does: a file cannot grow beyond some size."""
    size = int(2 ** campaign.chance.uniform(10, 21))
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))
    _tell(campaign, campaign.fresh(), "files of at most 1 KiB to 2 MiB", [limit])


def full_disk(campaign: Campaign) -> None:
    """A file system with little room left; afterwards it has more."""
    if os.geteuid() != 0:
        return
    place = campaign.fresh()
    used = sum(path.stat().st_blocks * 512 for path in place.lake.rglob("*"))
    size = used + campaign.chance.randrange(64 << 10, 4 * _MIB)
    with _mounted(Path(f"{place.lake}-disk"), "-t", "tmpfs", "-o", f"size={size}", "none") as disk:
        small = Place(copy_of(place.lake, disk / "lake"), place.sources, place.prepared)
        more = partial(subprocess.run, ["mount", "-o", "remount,size=200m", str(disk)], check=True)
        _tell(campaign, small, "a full disk", [], more)


def read_only_lake(campaign: Campaign) -> None:
    """As mounted for those who only read."""
    if os.geteuid() != 0:
        return
    place = campaign.fresh()
    outer = Path(f"{place.lake}-of")
    outer.mkdir()
    with _mounted(Path(f"{place.lake}-ro"), "--bind", str(outer)) as folder:
        copied = Place(copy_of(place.lake, folder / "lake"), place.sources, place.prepared)
        broken(copied.lake, MONTH, campaign.contents)  # it is a lake of its own from its first opening on
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        writable = partial(subprocess.run, ["mount", "-o", "remount,rw,bind", str(folder)], check=True)
        _tell(campaign, copied, "a read-only lake", [], writable)


def locked_catalog(campaign: Campaign) -> None:
    """Another program holds ``catalog.db`` for a while, which the command waits for."""
    place = campaign.fresh()
    locked, let_go = threading.Event(), threading.Event()
    holder = threading.Thread(target=_hold, args=(place.lake / "catalog.db", locked, let_go))
    holder.start()
    locked.wait()
    timer = threading.Timer(campaign.chance.uniform(1, 12), let_go.set)
    timer.start()
    _tell(campaign, place, "catalog.db locked for 1 to 12 s", [], holder.join, may_fail=False)


def locked_books(campaign: Campaign) -> None:
    """Another program holds Dagster's database of runs for a while."""
    place = campaign.fresh()
    locked, let_go = threading.Event(), threading.Event()
    database = place.lake / ".dagster" / "history" / "runs.db"
    holder = threading.Thread(target=_hold, args=(database, locked, let_go))
    holder.start()
    locked.wait()
    timer = threading.Timer(campaign.chance.uniform(1, 12), let_go.set)
    timer.start()
    _tell(campaign, place, "Dagster's runs.db locked for 1 to 12 s", [], holder.join, whole=True)


def _hold(database: Path, locked: threading.Event, let_go: threading.Event) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        locked.set()
        let_go.wait()
        connection.execute("ROLLBACK")


@contextlib.contextmanager
def _mounted(folder: Path, *arguments: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", *arguments, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _tell(
    campaign: Campaign,
    place: Place,
    name: str,
    limits: Sequence[Preparation],
    over: Callable[[], object] = lambda: None,
    may_fail: bool = True,
    whole: bool = False,
) -> None:
    """Do something where it is bad; then it is ``over``, and the next run succeeds."""
    file = campaign.chance.choice((FIRST, SECOND))
    works: dict[str, Work] = {"run": partial(scenarios.run, place, file)}
    if not whole:
        works |= {
            "rollback": partial(scenarios.roll_back, place, "staging.trips"),
            "maintain": partial(scenarios.maintain_now, place),
        }
    what = campaign.chance.choice(list(works))
    scenario = campaign.start(works[what], limits)
    code = scenario.wait()
    over()
    found = [f"left: {one}" for one in scenario.left()]
    if code and (not may_fail or not speaks(scenario)):
        found.append(f"exit code {code}: {last_words(scenario)}")
    found += broken(place.lake, MONTH, campaign.contents)
    outcome = BROKEN if found else REFUSED if code else UNDISTURBED
    campaign.say(Outcome(f"{what}, {name}", "surroundings", "-", outcome, tuple(found)))
    if not found:
        campaign.recover(place, file)


SURROUNDINGS: Sequence[Callable[[Campaign], None]] = (
    few_descriptors,
    little_memory,
    no_long_files,
    full_disk,
    read_only_lake,
    locked_catalog,
    locked_books,
)
