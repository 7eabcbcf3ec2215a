"""Kills, races and starves the lakehouse for as long as wanted, and checks after each time what readers see.

    python -m taxi_assets_tests.reliability.campaign --for 30m --seed 1 --log one.jsonl
    python -m taxi_assets_tests.reliability.campaign --of one.jsonl two.jsonl --report docs/reliability.md

Belongs here: drawing what happens and when, counting what came of it. Does not: the scenarios (``scenarios``), what has
to hold (``invariants``), races (``races``), bad surroundings (``surroundings``).

The same seed draws the same things in the same order; what is hit by the clock still depends on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from taxi_assets_tests.conftest import MONTH, copy_of
from taxi_assets_tests.reliability import scenarios
from taxi_assets_tests.reliability.invariants import (
    Content,
    broken,
    content_of,
    fits,
    live_versions,
    unlike_an_undisturbed_run,
)
from taxi_assets_tests.reliability.processes import Preparation, Scenario, kill, prepare
from taxi_assets_tests.reliability.scenarios import FIRST, SECOND, Place
from taxi_assets_tests.reliability.traps import Trap

ALL, WORKER, JOB, ENGINE = "all at once", "worker alone", "job alone", "engine alone"
CLOCK, WRITE = "by the clock", "before a write"
UNDISTURBED, ENDED_FIRST, BROKEN = "undisturbed, succeeded", "ended before the kill", "BROKEN"
AS_BEFORE, PUBLISHED, APART = "as before", "the new version", "some tables new, and status says so"
REFUSED = "refused in words"
Work = Callable[[], None]
SCENARIOS: Mapping[str, Callable[[Place, random.Random], Work]] = {
    "run": lambda place, chance: partial(scenarios.run, place, chance.choice((FIRST, SECOND))),
    "replay": lambda place, _: partial(scenarios.replay, place),
    "ingest": lambda place, chance: partial(scenarios.ingest, place, chance.choice((FIRST, SECOND))),
    "stage": lambda place, _: partial(scenarios.stage, place),
    "curate": lambda place, _: partial(scenarios.curate, place),
    "publish": lambda place, chance: partial(scenarios.publish, place, chance.choice((FIRST, SECOND))),
    "rollback": lambda place, chance: partial(
        scenarios.roll_back, place, chance.choice(("staging.trips", "daily_metrics", "performance_summary"))
    ),
    "maintain": lambda place, _: partial(scenarios.maintain_later, place),
    "vacuum": lambda place, _: partial(scenarios.vacuum_later, place),
    "report": lambda place, _: partial(scenarios.report, place),
}
_JOBS = {"run": 3, "replay": 2, "ingest": 1, "stage": 1, "curate": 1}
"""How many a scenario starts, one after the other."""


@dataclass(frozen=True)
class Chain:
    """Scenarios with their weights, and how many at most are killed on one lake before a run that is left alone.

    ``share`` is how often it is drawn among all; with ``new`` the lake is a folder that is not there.
    """

    share: int
    weights: Mapping[str, int]
    most: int
    new: bool = False


_CHAINS = (
    Chain(1, {"run": 3, "replay": 1}, 3),
    Chain(1, {"run": 1}, 3, new=True),
    Chain(2, {"ingest": 2, "stage": 3, "curate": 3, "report": 1}, 8),
    Chain(6, {"publish": 6, "rollback": 3, "maintain": 3, "vacuum": 2}, 40),
    Chain(2, {"publish": 1}, 8, new=True),
)


@dataclass(frozen=True)
class Outcome:
    """What came of one thing that happened; ``found`` says what is broken, in words."""

    scenario: str
    target: str
    instant: str
    outcome: str
    found: tuple[str, ...] = ()

    @property
    def is_kill(self) -> bool:
        """Whether something was killed, and at an instant at which it lived."""
        return self.target in (ALL, WORKER, JOB, ENGINE) and self.outcome not in (ENDED_FIRST, REFUSED)


class Campaign:
    """Lakes in ``folder``, and what happened to them; broken ones are kept there, with the logs."""

    def __init__(self, folder: Path, seed: int, heard: Callable[[Outcome], None]) -> None:
        self.folder, self.chance, self.heard = folder, random.Random(seed), heard
        self.contents: dict[str, Content] = {}
        self._seconds: dict[str, float] = {}
        self._writes: dict[str, int] = {}
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        self.base = Place(folder / "base", scenarios.make_sources(folder), {})

    def set_up(self) -> None:
        """Run both files undisturbed: what they come to is what readers may see from now on."""
        prepared = {file: self.folder / f"prepared-{file}" for file in (FIRST, SECOND)}
        for file, lake in prepared.items():
            if not lake.exists():
                self.ends_well(partial(scenarios.run, self.base, file), "run")
                copy_of(self.base.lake, lake)
            content = content_of(lake, MONTH)  # it is a lake of its own from this first opening on
            self.contents[content.sha256] = content
        self.base = Place(self.base.lake, self.base.sources, prepared)

    def fresh(self, new: bool = False) -> Place:
        """A lake in which both files were published, the second is live; with ``new`` a folder that is not there."""
        self._number += 1
        lake = self.folder / f"lake-{os.getpid()}-{self._number}"
        return Place(lake if new else copy_of(self.base.lake, lake), self.base.sources, self.base.prepared)

    def start(self, work: Work, before: Sequence[Preparation] = ()) -> Scenario:
        """Have a process do ``work``."""
        self._number += 1
        return Scenario(work, self.folder / f"{os.getpid()}-{self._number}.log", before)

    def say(self, outcome: Outcome) -> None:
        """Count it."""
        self.heard(outcome)

    def ends_well(self, work: Work, name: str, before: Sequence[Preparation] = ()) -> Scenario:
        """Do ``work`` undisturbed; AssertionError with its last words if it fails."""
        begun = time.monotonic()
        scenario = self.start(work, before)
        assert scenario.wait() == 0, f"{name} failed: {last_words(scenario)}"
        self._seconds[name] = time.monotonic() - begun
        return scenario

    def chain(self) -> None:
        """Kill some scenarios on one lake, one after the other; then a run that is left alone puts all right."""
        [drawn] = self.chance.choices(_CHAINS, [one.share for one in _CHAINS])
        place = self.fresh(drawn.new)
        for _ in range(self.chance.randint(1, drawn.most)):
            [name] = self.chance.choices(list(drawn.weights), list(drawn.weights.values()))
            if not self.kill(place, name):
                return  # the lake is kept as it is
        file = self.chance.choice((FIRST, SECOND))
        self.recover(place, file)

    def recover(self, place: Place, file: str) -> None:
        """The next run, with nothing cleaned by hand: as in a lake in which nothing happened."""
        scenario = self.start(partial(scenarios.run, place, file))
        code = scenario.wait()
        self._seconds["run"] = time.monotonic() - scenario.begun
        content = self.contents[content_of(self.base.prepared[file], MONTH).sha256]
        found = [] if code == 0 else [f"exit code {code}: {last_words(scenario)}"]
        found += broken(place.lake, MONTH, self.contents)
        found += unlike_an_undisturbed_run(place.lake, MONTH, content) if not found else []
        found += [f"left: {what}" for what in scenario.left()]
        self.say(Outcome("next run", "-", "-", BROKEN if found else UNDISTURBED, tuple(found)))
        if not found:
            shutil.rmtree(place.lake)

    def kill(self, place: Place, name: str) -> bool:
        """Kill one scenario; whether all promises hold."""
        work = SCENARIOS[name](place, self.chance)
        if name not in self._writes:
            self._measure(name)
        targets = (ALL, WORKER, JOB, ENGINE) if name in _JOBS else (ALL, WORKER)
        target = self.chance.choice(targets)
        instant = self.chance.choice((CLOCK, WRITE)) if target in (ALL, WORKER) else CLOCK
        before = live_versions(place.lake, MONTH)
        number = self.chance.randint(1, self._writes[name]) if instant == WRITE else 0
        scenario = self.start(work, [Trap(str(place.lake), number, "", target == ALL)] if number else ())
        hit = self._hit(scenario, name, target) if instant == CLOCK else None
        code = scenario.wait()
        hit = code == -9 if hit is None else hit
        if code == 0 and not hit:  # the machine is slower or faster than it was
            self._seconds[name] = time.monotonic() - scenario.begun
        found = [f"left: {what}" for what in scenario.left()]
        found += broken(place.lake, MONTH, self.contents)
        if code not in (0, -9) and not speaks(scenario):
            found.append(f"exit code {code}: {last_words(scenario)}")
        outcome = BROKEN if found else self._what_came(place, before) if hit else REFUSED if code else ENDED_FIRST
        self.say(Outcome(name, target, instant, outcome, tuple(found)))
        if found:
            print(f"kept: {place.lake} {scenario.log}", file=sys.stderr)
        return not found

    def _what_came(self, place: Place, before: object) -> str:
        if live_versions(place.lake, MONTH) == before:
            return AS_BEFORE
        return PUBLISHED if fits(place.lake, MONTH) else APART

    def _measure(self, name: str) -> None:
        """How long the scenario takes undisturbed, and how many writes."""
        place, told = self.fresh(), self.folder / f"{os.getpid()}-writes"
        self.ends_well(SCENARIOS[name](place, self.chance), name, [Trap(str(place.lake), 0, str(told))])
        self._writes[name] = int(told.read_text())
        shutil.rmtree(place.lake)

    def _hit(self, scenario: Scenario, name: str, target: str) -> bool:
        """Wait for a random instant and kill; whether the target lived then."""
        if target in (ALL, WORKER):
            scenario.wait(self.chance.uniform(0, self._seconds[name]))
            if scenario.is_over:
                return False
            scenario.kill_all() if target == ALL else scenario.kill()
            return True
        pid, longest = (
            (self._job(scenario, self.chance.randint(1, _JOBS[name])), self._seconds[name] / (_JOBS[name] + 1))
            if target == JOB
            else (self._first(scenario, "taxi_assets.jobs.engine"), self._seconds[name])
        )
        scenario.wait(self.chance.uniform(0, longest))
        if pid is None or pid not in scenario.started():
            return False
        kill(pid)
        return True

    def _first(self, scenario: Scenario, program: str, but: Iterable[int] = ()) -> int | None:
        """The first process of that program that is seen, and is none of ``but``; None if none comes."""
        while not scenario.is_over:
            if new := [pid for pid in scenario.started(program) if pid not in but]:
                return new[0]
            time.sleep(0.02)
        return None

    def _job(self, scenario: Scenario, number: int) -> int | None:
        """The Python that gets ready as the ``number``-th to be a job; the last one if there are fewer."""
        seen: list[int] = []
        for _ in range(number):
            if (pid := self._first(scenario, "jobs/prepared.py", seen)) is None:
                break
            seen.append(pid)
        return seen[-1] if seen else None


def speaks(scenario: Scenario) -> bool:
    """Whether a command that failed says why in words, and what to do."""
    text = scenario.log.read_text(errors="replace")
    return "What to do" in text.rpartition("Traceback (most recent call last)")[2]


def last_words(scenario: Scenario) -> str:
    """The end of what it said."""
    return " ".join(scenario.log.read_text(errors="replace")[-600:].split())


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """What happened, what was hit and when, and what readers saw then, with counts."""
    columns = list(dict.fromkeys(sorted((one.outcome for one in outcomes), key=_place)))
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for one in outcomes:
        counts.setdefault((one.scenario, one.target, one.instant), Counter())[one.outcome] += 1
    lines = [
        f"| scenario | what was hit | when | {' | '.join(columns)} |",
        "| --- " * 3 + "| --: " * len(columns) + "|",
    ]
    for (scenario, target, instant), of_these in sorted(counts.items()):
        numbers = " | ".join(str(of_these[column] or "") for column in columns)
        lines.append(f"| {scenario} | {target} | {instant} | {numbers} |")
    total = Counter(one.outcome for one in outcomes)
    lines.append(f"| **all** | | | {' | '.join(f'**{total[column]}**' for column in columns)} |")
    kills = sum(one.is_kill for one in outcomes)
    return "\n".join([f"{kills} kills; {total[BROKEN]} of {len(outcomes)} broke a promise.", "", *lines, ""])


def _place(outcome: str) -> tuple[int, str]:
    known = (AS_BEFORE, APART, PUBLISHED, REFUSED, ENDED_FIRST, UNDISTURBED)
    return (known.index(outcome) if outcome in known else len(known), outcome)


def write_report(page: Path, outcomes: Sequence[Outcome]) -> None:
    """Put the counts between the page's two marks."""
    before, mark, rest = page.read_text().partition("<!-- counts -->\n")
    _, end, after = rest.partition("<!-- end of counts -->")
    page.write_text(f"{before}{mark}{as_markdown(outcomes)}{end}{after}")


def _read_log(log: Path) -> list[Outcome]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [Outcome(**{**line, "found": tuple(line["found"])}) for line in lines]


def _seconds(text: str) -> float:
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def main() -> None:
    """Entry point."""
    from taxi_assets_tests.reliability.races import RACES
    from taxi_assets_tests.reliability.surroundings import SURROUNDINGS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--for", dest="seconds", type=_seconds, default=1800.0, help="how long: 90s, 30m, 2h")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to work; two undisturbed lakes of before are used again")
    parser.add_argument("--only", choices=("kills", "races", "surroundings"), help="nothing else")
    parser.add_argument("--log", type=Path, help="file to add each outcome to, as JSON lines")
    parser.add_argument("--of", type=Path, nargs="+", help="do nothing, count what these logs say")
    parser.add_argument("--report", type=Path, help="page with marks to put the counts between")
    arguments = parser.parse_args()
    outcomes = [one for log in arguments.of or () for one in _read_log(log)]
    if not arguments.of:
        for name in [name for name in os.environ if name == "DAGSTER_HOME" or name.startswith(("TAXI_", "AWS_"))]:
            del os.environ[name]
        prepare()
        begun = time.monotonic()

        def heard(outcome: Outcome) -> None:
            outcomes.append(outcome)
            kills, faults = sum(one.is_kill for one in outcomes), sum(one.outcome == BROKEN for one in outcomes)
            print(
                f"{time.monotonic() - begun:6.0f} s, {kills} kills, {faults} broken: {outcome.scenario}, "
                f"{outcome.target}, {outcome.instant}: {outcome.outcome} {'; '.join(outcome.found)}",
                flush=True,
            )
            if arguments.log:
                with arguments.log.open("a") as log:
                    log.write(json.dumps(asdict(outcome)) + "\n")

        folder = arguments.folder or Path(tempfile.mkdtemp(prefix="reliability-"))
        campaign = Campaign(folder, arguments.seed, heard)
        campaign.set_up()
        acts: dict[str, Sequence[Callable[[Campaign], None]]] = {
            "kills": [Campaign.chain],
            "races": RACES,
            "surroundings": SURROUNDINGS,
        }
        turns = [arguments.only] if arguments.only else ["kills"] * 6 + ["races", "surroundings"]
        while time.monotonic() - begun < arguments.seconds:
            campaign.chance.choice(acts[campaign.chance.choice(turns)])(campaign)
        if not (arguments.folder or any(one.outcome == BROKEN for one in outcomes)):
            shutil.rmtree(folder)
    print(as_markdown(outcomes))
    if arguments.report:
        write_report(arguments.report, outcomes)
    sys.exit(any(one.outcome == BROKEN for one in outcomes))


if __name__ == "__main__":
    main()
