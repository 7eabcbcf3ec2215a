"""Several at once on one lake: what each may see and do while the others are at it.

Belongs here: which scenarios meet, and how each of them may end. Does not: being killed (``campaign``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from taxi_assets_tests.conftest import MONTH, copy_of
from taxi_assets_tests.reliability import scenarios
from taxi_assets_tests.reliability.campaign import BROKEN, REFUSED, UNDISTURBED, Campaign, Outcome, last_words, speaks
from taxi_assets_tests.reliability.invariants import broken, content_of
from taxi_assets_tests.reliability.processes import Scenario
from taxi_assets_tests.reliability.scenarios import FIRST, OTHER_MONTH, SECOND, Place

_APART_SECONDS = 4.0
"""So much later at most the second begins."""


def two_runs_of_one_month(campaign: Campaign) -> None:
    """One may lose and say so; not both."""
    place = campaign.fresh()
    racers = _started(campaign, *(partial(scenarios.run, place, file) for file in (FIRST, SECOND)))
    codes = [racer.wait() for racer in racers]
    found = [] if 0 in codes else [f"both failed: {'; '.join(map(last_words, racers))}"]
    _told(campaign, place, "two runs of a month", racers, found)


def two_runs_of_a_new_lake(campaign: Campaign) -> None:
    """The catalog and every table are made by two at once."""
    place = campaign.fresh(new=True)
    racers = _started(campaign, *(partial(scenarios.run, place, file) for file in (FIRST, SECOND)))
    codes = [racer.wait() for racer in racers]
    found = [] if 0 in codes else [f"both failed: {'; '.join(map(last_words, racers))}"]
    _told(campaign, place, "two runs of a month in a new lake", racers, found)


def two_months(campaign: Campaign) -> None:
    """Both have to succeed."""
    place = campaign.fresh()
    if len(campaign.contents) < 3:  # of the other month there is no undisturbed run yet
        alone = Place(copy_of(place.lake, Path(f"{place.lake}-alone")), place.sources, place.prepared)
        campaign.ends_well(partial(scenarios.run, alone, FIRST, OTHER_MONTH), "another month")
        content = content_of(alone.lake, OTHER_MONTH)
        campaign.contents[content.sha256] = content
    works = (partial(scenarios.run, place, FIRST), partial(scenarios.run, place, FIRST, OTHER_MONTH))
    racers = _started(campaign, *works)
    codes = [racer.wait() for racer in racers]
    found = [f"exit code {code}: {last_words(racer)}" for racer, code in zip(racers, codes, strict=True) if code]
    found += broken(place.lake, OTHER_MONTH, campaign.contents)
    _told(campaign, place, "runs of two months", racers, found)


def publish_against_rollback(campaign: Campaign) -> None:
    """Either may lose to the other."""
    place = campaign.fresh()
    publishing = [partial(scenarios.publish, place, campaign.chance.choice((FIRST, SECOND))) for _ in range(3)]
    rolling = [partial(scenarios.roll_back, place, "staging.trips") for _ in range(3)]
    racers = _started(campaign, partial(scenarios.several, *publishing), partial(scenarios.several, *rolling))
    _told(campaign, place, "publish against rollback", racers)


def maintenance_against_publish_and_readers(campaign: Campaign) -> None:
    """Everything in the lake is old; what is new is of somebody who is at it. A reader never meets half a version."""
    place = campaign.fresh()
    scenarios.age(place.lake, days=40)
    stop = Path(f"{place.lake}.stop")
    keeping = [partial(scenarios.maintain_now, place), partial(scenarios.vacuum_now, place)] * 2
    publishing = [partial(scenarios.publish, place, file) for file in (FIRST, SECOND)]
    reader = campaign.start(partial(scenarios.read, place, campaign.contents, stop))
    racers = _started(campaign, partial(scenarios.several, *keeping), partial(scenarios.several, *publishing))
    codes = [racer.wait() for racer in racers]
    stop.touch()
    codes.append(reader.wait())
    racers.append(reader)
    found = [f"exit code {code}: {last_words(racer)}" for racer, code in zip(racers, codes, strict=True) if code]
    _told(campaign, place, "maintenance, vacuum, publish, a reader", racers, found)


def a_run_and_its_readers(campaign: Campaign) -> None:
    """Readers see one of the two versions of each table, all the time."""
    place = campaign.fresh()
    stop = Path(f"{place.lake}.stop")
    readers = [campaign.start(partial(scenarios.read, place, campaign.contents, stop)) for _ in range(2)]
    run = campaign.start(partial(scenarios.run, place, FIRST))
    codes = [run.wait()]
    stop.touch()
    codes += [reader.wait() for reader in readers]
    racers = [run, *readers]
    found = [f"exit code {code}: {last_words(racer)}" for racer, code in zip(racers, codes, strict=True) if code]
    _told(campaign, place, "a run and two readers", racers, found)


def _started(campaign: Campaign, *works: Callable[[], None]) -> list[Scenario]:
    racers: list[Scenario] = []
    for work in works:
        if racers:
            racers[-1].wait(campaign.chance.uniform(0, _APART_SECONDS))
        racers.append(campaign.start(work))
    return racers


def _told(campaign: Campaign, place: Place, name: str, racers: Sequence[Scenario], found: Sequence[str] = ()) -> None:
    """What came of a race, and the next run."""
    codes = [racer.wait() for racer in racers]
    faults = [*found, *(f"left: {what}" for racer in racers for what in racer.left())]
    faults += [
        f"exit code {code}: {last_words(racer)}"
        for racer, code in zip(racers, codes, strict=True)
        if code and not (speaks(racer) or "PublishConflict" in last_words(racer) or "TableBusy" in last_words(racer))
    ]
    faults += broken(place.lake, MONTH, campaign.contents)
    outcome = BROKEN if faults else REFUSED if any(codes) else UNDISTURBED
    campaign.say(Outcome(name, "race", "-", outcome, tuple(faults)))
    if not faults:
        campaign.recover(place, campaign.chance.choice((FIRST, SECOND)))


RACES: Sequence[Callable[[Campaign], None]] = (
    two_runs_of_one_month,
    two_runs_of_a_new_lake,
    two_months,
    publish_against_rollback,
    maintenance_against_publish_and_readers,
    a_run_and_its_readers,
)
