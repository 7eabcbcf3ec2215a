"""A short slice of the campaign, and what its report says: kills of real processes, drawn from one seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from glue_jobs.contracts import CURATED_TABLES
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.assets import publish as publishing_step
from taxi_assets.checks import check
from taxi_assets.checks.check import Answer
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult
from taxi_assets_tests.conftest import MONTH, copy_of
from taxi_assets_tests.reliability import scenarios
from taxi_assets_tests.reliability.campaign import (
    APART,
    AS_BEFORE,
    BROKEN,
    ENDED_FIRST,
    PUBLISHED,
    Campaign,
    Outcome,
    write_report,
)
from taxi_assets_tests.reliability.invariants import broken, content_of, live_versions, unlike_an_undisturbed_run
from taxi_assets_tests.reliability.processes import prepare
from taxi_assets_tests.reliability.scenarios import FIRST, SECOND, Place

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found in Linux's /proc")
SEED = 4


@pytest.fixture(scope="module")
def campaign(published: tuple[Path, MonthResult], tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """A campaign whose only file of the month is that of ``published``."""
    prepare()
    made = Campaign(tmp_path_factory.mktemp("reliability"), SEED, lambda _: None)
    content = content_of(published[0], MONTH)
    made.contents[content.sha256] = content
    lake = copy_of(published[0], made.folder / "base")
    made.base = Place(lake, made.base.sources, {FIRST: published[0], SECOND: published[0]})
    made.ends_well(partial(scenarios.publish, made.base, FIRST), "publish")  # so that there is a version to go back to
    return made


def test_killed_at_any_instant_what_readers_see_is_whole_and_the_next_run_succeeds(
    campaign: Campaign, run: Callable[..., MonthResult], source: Path
) -> None:
    came: list[Outcome] = []
    campaign.heard = came.append
    place = campaign.fresh()
    for name in ("publish", "publish", "rollback", "maintain", "publish"):
        assert campaign.kill(place, name), came[-1].found
    assert any(one.is_kill for one in came)
    assert run(place.lake, source).succeeded
    [content] = campaign.contents.values()
    assert broken(place.lake, MONTH, campaign.contents) == []
    assert unlike_an_undisturbed_run(place.lake, MONTH, content) == []


def lose_what_was_written(lake: Path) -> None:
    """Have the staged files vanish between the checks and the commit."""
    ask = check.ask_all

    def ask_and_lose(*asked: Any) -> list[Answer]:
        answers = ask(*asked)
        newest = max((lake / "staging" / "trips").glob("month=*/version=*"))
        shutil.rmtree(newest)
        return answers

    vars(publishing_step)["ask_all"] = ask_and_lose


def test_files_that_vanish_after_their_checks_are_not_published_as_a_month_without_rows(campaign: Campaign) -> None:
    place = campaign.fresh()
    before = dict(live_versions(place.lake, MONTH))
    scenario = campaign.start(partial(scenarios.stage, place), [partial(lose_what_was_written, place.lake)])
    assert scenario.wait() == 1
    assert "when they were checked they had" in scenario.log.read_text()
    after = dict(live_versions(place.lake, MONTH))
    assert {name for name in before if after[name] != before[name]} == {"staging.quarantine"}
    assert broken(place.lake, MONTH, campaign.contents) == []  # and status says that the two do not fit
    assert scenario.left() == []


def lose_a_live_file(lake: Path) -> None:
    [file] = Lake.in_folder(lake).publisher.files(CURATED_TABLES["daily_metrics"])
    Path(file).unlink()


def cut_a_report(lake: Path) -> None:
    page = next((lake / "reports").rglob("*.html"))
    page.write_text(page.read_text()[:-100])


def cut_a_raw_file(lake: Path) -> None:
    [file] = Lake.in_folder(lake).ledger.all_current(TRIPS_DATASET)
    Path(file.path).write_bytes(b"PAR1")


def publish_half(lake: Path) -> None:
    opened = Lake.in_folder(lake)
    table = CURATED_TABLES["customer_behavior"]
    live = opened.publisher.live(table, MONTH)
    assert live is not None
    folder = Path(opened.paths.version(table, MONTH, "half"))
    shutil.copytree(live.path, folder)
    next(folder.rglob("*.parquet")).unlink()
    opened.publisher.publish(table, MONTH, "half", live.lineage, live)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose_a_live_file, "daily_metrics"),
        (cut_a_report, "is part of a report"),
        (cut_a_raw_file, "is not what the ledger says"),
        (publish_half, "customer_behavior: version half has other rows"),
    ],
)
def test_the_invariants_name_what_is_broken(campaign: Campaign, damage: Callable[[Path], None], said: str) -> None:
    place = campaign.fresh()
    damage(place.lake)
    assert said in " ".join(broken(place.lake, MONTH, campaign.contents))


def test_the_report_counts_kills_and_what_came_of_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- counts -->\nold\n<!-- end of counts -->\nmore\n")
    outcomes = [Outcome("run", "job alone", "by the clock", came) for came in (AS_BEFORE, APART, APART, ENDED_FIRST)]
    write_report(page, [*outcomes, Outcome("publish", "all at once", "before a write", PUBLISHED)])
    assert page.read_text().startswith("# Page\n<!-- counts -->\n4 kills; 0 of 5 broke a promise.\n")
    assert "| run | job alone | by the clock | 1 | 2 |  | 1 |" in page.read_text()
    assert page.read_text().endswith("<!-- end of counts -->\nmore\n")
    write_report(page, [Outcome("run", "race", "-", BROKEN)])
    assert "0 kills; 1 of 1 broke a promise." in page.read_text()
    assert "job alone" not in page.read_text()
