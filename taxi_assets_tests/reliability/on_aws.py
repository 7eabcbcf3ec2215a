"""Kills workers on the emulated AWS, or has its S3 refuse a share of all calls, and looks at what readers see.

    python -m taxi_assets_tests.reliability.on_aws --kills 30 --refused 4 --seed 1 --log aws.jsonl

Belongs here: what is different when the lake is no folder. Does not: lakes in folders (``campaign``), single
errors of AWS (``end_to_end/test_aws_failures``).

A worker is a command with all that it started, a process group; the Glue run that it leaves behind goes on, as on AWS.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from glue_jobs.contracts import MONTHLY_TABLES, QUARANTINE, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.checks.verify import NotVerifiable, verify
from taxi_assets.lake.catalog_check import check_catalog
from taxi_assets.lake.status import lake_status
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.emulators.aws import JOBS, Role, deployed_name, emulated_aws
from taxi_assets_tests.emulators.environment import acting_as
from taxi_assets_tests.reliability.campaign import (
    ALL,
    APART,
    AS_BEFORE,
    BROKEN,
    CLOCK,
    ENDED_FIRST,
    PUBLISHED,
    REFUSED,
    UNDISTURBED,
    Outcome,
    as_markdown,
)
from taxi_assets_tests.support.aws_lake import AwsLake, deployed_lake

ROLLBACK, RUN = "rollback, in S3", "run, in S3"
_COMMANDS = {ROLLBACK: ("rollback", "staging.trips", MONTH), RUN: ("run", "--month", MONTH)}
_REFUSALS = (
    ("SlowDown", "Please reduce your request rate.", 503),
    ("InternalError", "We encountered an internal error. Please try again.", 500),
)
"""As S3 words them; both are to be tried again: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
_REFUSED_EACH = (3, 5, 10, 30)
"""One call of so many."""
_RUN_AGAIN_AFTER = 8
"""So many kills of rollbacks; then a run is left alone, so that there is something to go back to."""


class DisturbedLake:
    """A lake in S3, and what is done to it, one thing after the other."""

    def __init__(self, lake: AwsLake, folder: Path, seed: int, heard: Callable[[Outcome], None]) -> None:
        self.lake, self.folder, self.chance, self.heard = lake, folder, random.Random(seed), heard
        self._seconds: dict[str, float] = {}

    def set_up(self) -> None:
        """Publish two contents of the month, and see how long the commands take undisturbed."""
        self.lake.published()
        for name, seed in ((RUN, 2), (ROLLBACK, 2)):
            self.lake.put_at_source(seed=seed)
            begun = time.monotonic()
            assert self._start(name).wait() == 0, self._log.read_text()[-2000:]
            self._seconds[name] = time.monotonic() - begun
        self.next_run()

    def kill(self, name: str) -> None:
        """Kill one command at a random instant."""
        before = self.lake.versions()
        worker = self._start(name)
        try:
            code: int | None = worker.wait(self.chance.uniform(0, self._seconds[name]))
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            code = None
        found = list(broken(self.lake))
        said = self._log.read_text()
        if code and "What to do" not in said.rpartition("Traceback (most recent call last)")[2]:
            found.append(f"exit code {code}: {said[-600:]}")
        came = self._came(before)
        ended = REFUSED if code else ENDED_FIRST
        self.heard(Outcome(name, ALL, CLOCK, BROKEN if found else came if code is None else ended, tuple(found)))

    def refuse(self) -> None:
        """Have S3 refuse each so many calls of a whole run, then let it recover."""
        before = self.lake.versions()
        nth = self.chance.choice(_REFUSED_EACH)
        code, message, status = self.chance.choice(_REFUSALS)
        self.lake.put_at_source(seed=self.chance.randint(3, 1000))
        self.lake.aws.faults.fail_each(nth, "s3", code, message, status)
        try:
            result = self.lake.run()
        finally:
            self.lake.aws.faults.clear()
        found = list(broken(self.lake))
        if not (result.succeeded or result.error):
            found.append("the run failed and does not say why")
        print(f"S3 refused one call in {nth}: {result.error or 'the run succeeded'}")
        outcome = BROKEN if found else self._came(before)
        self.heard(Outcome("run, S3 refuses", f"one call in {nth}: {status}", "-", outcome, tuple(found)))

    def next_run(self) -> None:
        """With nothing cleaned by hand it publishes the month, and leaves no Glue run at work."""
        self.lake.put_at_source(seed=self.chance.randint(3, 1000))
        result = self.lake.run()
        found = [] if result.succeeded else [result.error]
        found += [*broken(self.lake), *([] if _fits(self.lake) else ["status: not all tables fit together"])]
        runs = [run for job in JOBS for run in self.lake.aws.runs(deployed_name(job))]
        found += [f"Glue run {run.id} is left" for run in runs if run.state in ("STARTING", "RUNNING", "STOPPING")]
        self.heard(Outcome("next run, in S3", "-", "-", BROKEN if found else UNDISTURBED, tuple(found)))

    def _came(self, before: dict[str, str | None]) -> str:
        """What readers see of the month, beside the versions of ``before``."""
        return AS_BEFORE if self.lake.versions() == before else PUBLISHED if _fits(self.lake) else APART

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        self._log = self.folder / "worker.log"
        environment = {
            **os.environ,
            "TAXI_PROFILE": "aws",
            "TAXI_LAKE": self.lake.settings.lake,
            "TAXI_SOURCE": self.lake.settings.source,
            "TAXI_GLUE_POLL_SECONDS": str(self.lake.settings.glue_poll_seconds),
        }
        command = [sys.executable, "-m", "taxi_assets.cli.main", *_COMMANDS[name]]
        with self._log.open("wb") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def broken(aws: AwsLake) -> Iterator[str]:
    """Each promise that does not hold of the month in S3, in words."""
    lake = aws.open()
    live = aws.live()
    for name, table in MONTHLY_TABLES.items():
        entry = live[name]
        files = [file for file in lake.catalog.files(table) if f"/month={MONTH}/" in file]
        if entry is None:
            if files:
                yield f"{name}: nothing is published, and readers see {len(files)} files"
        elif strays := [file for file in files if not file.startswith(f"{entry.path}/")]:
            yield f"{name}: readers see {strays[0]}, which is not of version {entry.version}"
    with lake.connect(" ".join(MONTHLY_TABLES)) as connection:
        for name in MONTHLY_TABLES:
            rows = connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]
            entry = live[name]
            if rows != (entry.rows if entry else 0):
                yield f"{name}: SQL sees {rows} rows, the version has {entry.rows if entry else 0}"
    trips, quarantine = live[TRIPS.full_name], live[QUARANTINE.full_name]
    if trips and quarantine and trips.version != quarantine.version and _fits(aws):
        yield "trips and quarantine are of different versions, and status does not say so"
    of_file = {file.sha256: file.rows for file in lake.ledger.history(TRIPS_DATASET, [MONTH])[MONTH]}
    if trips and quarantine and trips.version == quarantine.version:
        expected = of_file.get(trips.lineage.get("source_sha256", ""))
        if trips.rows + quarantine.rows != expected:
            yield f"{expected} rows of the source are {trips.rows} published and {quarantine.rows} quarantined"
    for fault in check_catalog(lake):
        yield f"catalog check: {fault.table}: {fault.problem}"
    try:
        for answer in verify(lake, MONTH).failed:
            yield f"audit: {answer.in_words}"
    except NotVerifiable as why_not:
        if _fits(aws):
            yield str(why_not)


def _fits(aws: AwsLake) -> bool:
    return all(one.fits for one in lake_status(aws.open()) if one.month == MONTH)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="how many commands are disturbed")
    parser.add_argument("--refused", type=int, default=2, help="how many runs S3 refuses a share of the calls of")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, help="file to add each outcome to, as JSON lines")
    arguments = parser.parse_args()
    for name in [name for name in os.environ if name == "DAGSTER_HOME" or name.startswith(("TAXI_", "AWS_"))]:
        del os.environ[name]
    outcomes: list[Outcome] = []

    def heard(outcome: Outcome) -> None:
        outcomes.append(outcome)
        print(outcome, flush=True)
        if arguments.log:
            with arguments.log.open("a") as log:
                log.write(json.dumps(asdict(outcome)) + "\n")

    folder = Path(tempfile.mkdtemp(prefix="reliability-aws-"))
    with emulated_aws() as aws, acting_as(aws.url, Role.DAGSTER), deployed_lake(aws, folder) as lake:
        disturbed = DisturbedLake(lake, folder, arguments.seed, heard)
        disturbed.set_up()
        for number in range(1, arguments.kills + 1):
            disturbed.kill(disturbed.chance.choice((ROLLBACK, ROLLBACK, ROLLBACK, RUN)))
            if number % _RUN_AGAIN_AFTER == 0 or number == arguments.kills:
                disturbed.next_run()
        for _ in range(arguments.refused):
            disturbed.refuse()
            disturbed.next_run()
    print(as_markdown(outcomes))
    sys.exit(any(one.outcome == BROKEN for one in outcomes))


if __name__ == "__main__":
    main()
