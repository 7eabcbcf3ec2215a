"""The dashboard in a real browser: what people see, choose, click, copy and download.

With ``TAXI_TESTS_PICTURE_LAKE=LAKE`` the pictures of the README and of docs/dashboard.md are made of that lake.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.request import urlopen

import pyarrow.parquet as pq
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, Route, expect, sync_playwright

from glue_jobs.contracts import CURATED_TABLES
from taxi_assets.dashboard.screens import PAGES
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.texts import write_text
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.presentation.answers import Answers
from taxi_assets.presentation.questions import QUESTIONS
from taxi_assets.presentation.report import Links, render
from taxi_assets.presentation.wording import month_name, short
from taxi_assets.settings import Settings
from taxi_assets.warehouse.memory import MemoryEngine
from taxi_assets.warehouse.question import Value
from taxi_assets_tests.conftest import MONTH, copy_of, on_three_days, write_source
from taxi_assets_tests.support.browser import chromium_program
from taxi_assets_tests.support.dagster_dev import ROOT
from taxi_assets_tests.support.dashboard_server import running_dashboard
from taxi_assets_tests.support.many_months import NEWEST, lake_like
from taxi_assets_tests.support.oidc import CLIENT, PERSON, oidc_provider
from taxi_assets_tests.support.waiting import HANGS_AFTER, wait_until
from taxi_assets_tests.support.zone_shapes import publish_map

pytestmark = pytest.mark.browser

REAL = os.environ.get("TAXI_TEST_TLC", "")
PICTURED = os.environ.get("TAXI_TESTS_PICTURE_LAKE", "")
PICTURES = ROOT / "docs" / "images"
IN_THE_DOCS = ("overview", "demand", "places", "money", "quality")
PATIENCE = HANGS_AFTER * 1000
SERIOUS = ("serious", "critical")
WIDE, PHONE = (1440, 900), (390, 844)
AT_REST = '[data-testid="stApp"][data-test-script-state="notRunning"]'


@dataclass
class Look:
    """One browser window on a dashboard; ``strangers`` are requests that left this machine, ``errors`` what broke."""

    page: Page
    url: str
    strangers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}/{path}")
        self.rest()

    def rest(self) -> None:
        """Wait until the page is drawn, charts included."""
        self.page.wait_for_selector(AT_REST)
        expect(self.page.locator("h2").first).to_be_visible()
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0)

    def address(self) -> str:
        """What stands in the address bar; ``page.url`` lags behind it."""
        href: str = self.page.evaluate("location.href")
        return href

    def chart(self, panel: str, trace: int, values: str) -> list[Any]:
        """What a chart draws."""
        figure = self.page.locator(f".st-key-panel_{panel} .js-plotly-plot").first
        expect(figure).to_be_visible()
        found: list[Any] = figure.evaluate(f"one => Array.from(one._fullData[{trace}].{values})")
        return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_program(), args=["--no-sandbox"], timeout=PATIENCE
        )
        yield browser
        browser.close()


@contextmanager
def looking(
    chromium: Browser,
    url: str,
    size: tuple[int, int] = WIDE,
    scheme: Literal["light", "dark"] = "light",
    also: str = "data:",
) -> Iterator[Look]:
    """A fresh browser window that reaches ``url``, and ``also``, and nothing else; fails at the end if it tried to."""
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, accept_downloads=True
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    look = Look(page, url)

    def only_here(route: Route, request: Request) -> None:
        if request.url.startswith((url, also, "data:", "blob:")):
            route.continue_()
        else:
            look.strangers.append(request.url)
            route.abort()

    page.route("**/*", only_here)
    page.on("pageerror", lambda error: look.errors.append(str(error)))
    yield look
    context.close()
    assert look.strangers == []
    assert look.errors == []


@pytest.fixture(scope="module")
def years(published: tuple[Path, MonthResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two years, with a map; for pictures the one that was named."""
    if PICTURED:
        return Path(PICTURED)
    folder = tmp_path_factory.mktemp("years")
    one = Lake.in_folder(copy_of(published[0], folder / "one"))
    publish_map(one)
    lake_like(folder / "one", folder / "lake", 24)
    return folder / "lake"


@pytest.fixture(scope="module")
def dashboard(years: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_dashboard(years, tmp_path_factory.mktemp("dashboard") / "log") as url:
        yield url


@pytest.fixture(scope="module")
def one_month(published: tuple[Path, MonthResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of one whole month with its checks, quarantine and metrics."""
    lake = copy_of(published[0], tmp_path_factory.mktemp("one") / "lake")
    publish_map(Lake.in_folder(lake))
    return lake


def asked(lake: Path, name: str, **values: Value) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = MemoryEngine(Lake.in_folder(lake)).run(QUESTIONS[name], values, label="t").to_pylist()
    return rows


def overflow(page: Page) -> int:
    """Pixels that the page is wider than its window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wider


def is_fine(look: Look, path: str) -> None:
    """Every chart of a page has something to draw, nothing failed, and axe finds nothing serious."""
    look.open(path)
    assert look.page.get_by_test_id("stException").count() == 0
    assert [one.inner_text() for one in look.page.get_by_test_id("stAlertContentError").all()] == []
    for figure in look.page.locator(".js-plotly-plot").all():
        drawn = figure.evaluate("one => one._fullData.some(t => ['x', 'z', 'y'].some(n => t[n] && t[n].length))")
        assert drawn, (path, figure.inner_text())
    found = Axe().run(look.page)
    serious = [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in found.response["violations"]
        if one["impact"] in SERIOUS
    ]
    assert serious == [], path


@pytest.mark.parametrize("name", PAGES)
def test_each_page_of_two_years_is_whole_in_light_and_dark_and_on_a_phone(
    dashboard: str, chromium: Browser, name: str
) -> None:
    path = "" if name == next(iter(PAGES)) else name
    with looking(chromium, dashboard) as look:
        is_fine(look, path)
        # The copied months were published once and by no run.
        assert look.page.locator(".js-plotly-plot").count() >= 1 or name in ("versions", "operations")
        if name == "overview":
            expect(look.page.get_by_role("img", name=re.compile("^Trips over 13 months"))).to_be_visible()
        if PICTURED and name in IN_THE_DOCS:
            keep_picture(look.page, f"dashboard-{name}")
    with looking(chromium, dashboard, PHONE, "dark") as look:
        is_fine(look, path)
        assert overflow(look.page) <= 0


@pytest.mark.parametrize("name", PAGES)
def test_each_page_of_a_real_month_is_whole(real: str, chromium: Browser, name: str) -> None:
    with looking(chromium, real) as look:
        is_fine(look, "" if name == next(iter(PAGES)) else name)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard of the first ten days of February 2024."""
    if not REAL:
        pytest.skip("TAXI_TEST_TLC names no folder in the TLC's layout")
    folder = tmp_path_factory.mktemp("real")
    result = run_month(Settings(lake=str(folder / "lake"), source=REAL), "2024-02", None, lambda *_: None)
    assert result.succeeded, result.error
    with running_dashboard(folder / "lake", folder / "dashboard.log") as url:
        yield url


def test_a_choice_changes_the_numbers_to_those_of_the_warehouse(dashboard: str, years: Path, chromium: Browser) -> None:
    with looking(chromium, dashboard) as look:
        look.open(f"demand?month={NEWEST}")
        panel = "pick-ups_by_weekday_and_hour"
        assert hours(look.chart(panel, 0, "z")) == per_day(asked(years, "demand_of_all", month=NEWEST), "pickups")
        look.page.get_by_role("combobox", name="Borough").click()
        look.page.get_by_role("option", name="Queens").click()
        look.page.get_by_role("button", name="Drop-offs").or_(look.page.get_by_role("radio", name="Drop-offs")).click()
        panel = "drop-offs_by_weekday_and_hour"
        of_queens = per_day(asked(years, "demand_of_a_borough", month=NEWEST, borough="Queens"), "dropoffs")
        wait_until(lambda: hours(look.chart(panel, 0, "z")) == of_queens, lambda: look.page.inner_text("body"), 0.5)
        assert "borough=Queens" in look.address()


def hours(cells: list[Any]) -> dict[tuple[int, int], float]:
    """What a heat map of a week shows, by weekday and hour."""
    return {
        (day + 1, hour): value for day, row in enumerate(cells) for hour, value in enumerate(row) if value is not None
    }


def per_day(rows: list[dict[str, Any]], what: str) -> dict[tuple[int, int], float]:
    return {
        (row["day_of_week"], row["hour_of_day"]): row[f"{what}_per_day"]
        for row in rows
        if row[f"{what}_per_day"] is not None
    }


def test_a_click_on_the_map_shows_the_flows_of_the_zone(dashboard: str, years: Path, chromium: Browser) -> None:
    with looking(chromium, dashboard) as look:
        look.open(f"places?month={NEWEST}")
        zones = look.chart("map_of_zones", 1, "locations")
        shapes = look.page.locator(".st-key-panel_map_of_zones .choroplethlayer .trace").nth(1).locator("path")
        expect(shapes).to_have_count(len(zones))
        at = 10
        box = shapes.nth(at).bounding_box()
        assert box is not None
        look.page.mouse.move(box["x"] + 2, box["y"] + 2)
        look.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        wait_until(lambda: f"%28{zones[at]}%29" in look.address(), look.address, 0.2)
        flows = asked(years, "flows_of_a_zone", month=NEWEST, zone=zones[at])
        out = [float(row["trips"]) for row in flows if row["direction"] == "out"][:12]
        wait_until(lambda: look.chart("trips_from_here_go_to", 0, "x") == out, lambda: str(out), 0.5)


def test_a_download_is_the_table_and_named_after_the_version(
    one_month: Path, chromium: Browser, tmp_path: Path
) -> None:
    with (
        running_dashboard(one_month, tmp_path / "log") as url,
        looking(chromium, url) as look,
    ):
        look.open("")
        numbers = look.page.locator(".st-key-panel_trips_a_day").get_by_role("button", name="Numbers and SQL")
        numbers.click()
        version = Lake.in_folder(one_month).publisher.history(CURATED_TABLES["daily_metrics"], MONTH)[0].version
        csv_button = look.page.locator(".st-key-csv_trips_a_day button")
        expect(csv_button).to_be_visible()
        look.rest()
        with look.page.expect_download() as downloading:
            csv_button.click()
        assert downloading.value.suggested_filename == f"trips_a_day_{MONTH}_{version}.csv"
        downloading.value.save_as(tmp_path / "found.csv")
        with (tmp_path / "found.csv").open() as file:
            found = list(csv.DictReader(file))
        expected = asked(one_month, "daily_trend", first="2023-12", month=MONTH)
        assert [(row["pickup_date"], row["trips"]) for row in found] == [
            (str(row["pickup_date"]), str(row["trips"])) for row in expected
        ]


def test_a_copied_address_shows_the_same_in_a_fresh_browser(dashboard: str, chromium: Browser) -> None:
    path = "places?month=2025-03&end=Drop-offs&metric=Tip+rate&zone=Queens+3+%283%29"
    seen = []
    for _ in range(2):
        with looking(chromium, dashboard) as look:
            look.open(path)
            seen.append(
                (look.chart("map_of_zones", 1, "z"), look.chart("trips_to_here_come_from", 0, "y"), look.address())
            )
            path = look.address().removeprefix(f"{dashboard}/")
    assert seen[0] == seen[1]
    assert seen[0][0] != []
    assert max(seen[0][0]) <= 1  # a rate, not trips
    assert all(part in seen[0][2] for part in ("month=2025-03", "end=Drop-offs", "metric=Tip", "%283%29"))


@pytest.mark.parametrize(
    "query",
    [
        "month=2099-99&as_of=never",
        "month=%27%3B+DROP+TABLE+x--&metric=%3Cscript%3Ealert(1)%3C%2Fscript%3E&zone=-1",
        "as_of=1000-01-01&end=..%2F..%2Fetc",
    ],
)
def test_values_that_are_none_fall_to_the_default(dashboard: str, chromium: Browser, query: str) -> None:
    with looking(chromium, dashboard) as look:
        look.open(f"places?{query}")
        assert look.page.get_by_test_id("stException").count() == 0
        expect(look.page.get_by_role("combobox", name="Month")).to_have_value("newest")
        assert look.chart("map_of_zones", 1, "locations")


def test_an_open_page_shows_a_publication_by_itself(
    one_month: Path, run: Callable[..., MonthResult], chromium: Browser, tmp_path: Path
) -> None:
    lake = copy_of(one_month, tmp_path / "lake")
    write_source(tmp_path / "source", "2024-03", 2_000, days=3)
    with running_dashboard(lake, tmp_path / "log") as url, looking(chromium, url) as look:
        look.open("")
        expect(look.page.get_by_role("heading", name="February 2024")).to_be_visible()
        assert run(lake, tmp_path / "source", "2024-03").succeeded
        expect(look.page.get_by_role("heading", name="March 2024")).to_be_visible()
        look.rest()
        trips = sum(row["trips"] for row in asked(lake, "days_of_a_month", month="2024-03"))
        expect(look.page.get_by_test_id("stMetricValue").first).to_have_text(short(trips))
        assert look.page.get_by_test_id("stException").count() == 0
        look.page.get_by_role("combobox", name="Month").click()
        look.page.get_by_role("option", name=MONTH).click()
        expect(look.page.get_by_role("heading", name="February 2024")).to_be_visible()
        before = sum(row["trips"] for row in asked(lake, "days_of_a_month", month=MONTH))
        assert before != trips
        expect(look.page.get_by_test_id("stMetricValue").first).to_have_text(short(before))


def test_a_month_published_twice_has_its_versions_side_by_side(
    one_month: Path, run: Callable[..., MonthResult], chromium: Browser, tmp_path: Path
) -> None:
    lake = copy_of(one_month, tmp_path / "lake")
    trips = write_source(tmp_path / "source", MONTH, seed=2)
    pq.write_table(on_three_days(pq.read_table(trips), MONTH), trips)
    before = asked(lake, "days_of_a_month", month=MONTH)
    assert run(lake, tmp_path / "source").succeeded
    after = asked(lake, "days_of_a_month", month=MONTH)
    with running_dashboard(lake, tmp_path / "log") as url, looking(chromium, url) as look:
        look.open("versions")
        newer, older = (look.chart("trips_by_day_in_both", at, "y") for at in (0, 1))
        assert sorted([newer, older]) == sorted([[float(row["trips"]) for row in one] for one in (before, after)])


def test_a_lake_without_months_says_what_to_type(chromium: Browser, tmp_path: Path) -> None:
    Lake.in_folder(tmp_path / "lake")
    with running_dashboard(tmp_path / "lake", tmp_path / "log") as url, looking(chromium, url) as look:
        look.page.goto(url)
        expect(look.page.get_by_role("heading", name="Nothing is published yet")).to_be_visible()
        expect(look.page.get_by_text("taxi-assets run --month 2024-02").first).to_be_visible()


def test_embedded_it_has_no_frame_of_its_own(dashboard: str, chromium: Browser) -> None:
    with looking(chromium, dashboard) as look:
        look.open("demand?embed=true")
        expect(look.page.get_by_role("button", name="Main menu")).to_have_count(0)
        assert look.page.locator(".js-plotly-plot").count() >= 1


@pytest.fixture(scope="module")
def report(years: Path) -> str:
    """Month and version of a report of the newest of two years, where an older one lies as well."""
    lake, month = Lake.in_folder(years), asked(years, "summary")[-1]["month"]
    links = Links("http://127.0.0.1:3000", "http://127.0.0.1:8501")
    page = render(Answers(MemoryEngine(lake), lake).reader(), month, links, datetime.now(timezone.utc))
    version = "20260102T000000Z-1a2b3c4d"
    write_text(lake.paths.report(month, "20260101T000000Z-1a2b3c4d"), "an older one")
    write_text(lake.paths.report(month, version), page)
    return f"{month}/{version}"


def test_the_report_is_whole_by_itself(
    years: Path, report: str, dashboard: str, chromium: Browser, tmp_path: Path
) -> None:
    copied = tmp_path / "report.html"
    month, version = report.split("/")
    shutil.copyfile(Lake.in_folder(years).paths.report(month, version), copied)
    for address in (f"{dashboard}/reports/{month}", f"{dashboard}/reports/{report}", copied.as_uri()):
        with looking(chromium, address, PHONE if address.startswith("file:") else WIDE) as look:
            look.page.goto(address)
            expect(look.page.get_by_role("heading", level=1)).to_have_text(f"NYC yellow taxi, {month_name(month)}")
            figures = look.page.locator(".js-plotly-plot")
            assert figures.count() in (13, 14)  # the last if rows are in quarantine
            assert overflow(look.page) <= 0
            expect(look.page.locator(".choroplethlayer path").first).to_be_attached()
            serious = [one["id"] for one in Axe().run(look.page).response["violations"] if one["impact"] in SERIOUS]
            assert serious == []
            if PICTURED and address.startswith("http"):
                keep_picture(look.page, "dashboard-report")


def test_the_numbers_of_a_report_are_those_that_the_query_layer_gives(
    years: Path, report: str, dashboard: str, chromium: Browser
) -> None:
    with looking(chromium, dashboard) as look:
        look.page.goto(f"{dashboard}/reports/{report}")
        look.page.get_by_text("Numbers: Where trips begin").click()
        table = look.page.get_by_role("region", name="Numbers: pickups by zone")
        first, *rows = [one.split("\t") for one in table.locator("table").inner_text().splitlines()]
        found = asked(years, "pickups_by_zone", month=report.split("/")[0])
        assert [name.replace(" ", "_") for name in first] == list(found[0])
        assert [row[1:4] for row in rows] == [
            [one["zone"] or "", one["borough"] or "", f"{one['trips']:,}"] for one in found
        ]


@pytest.mark.parametrize("name", ["2011-01", "2011-13", "..", f"{NEWEST}/20260101T000000Z-ffffffff", f"{NEWEST}/x"])
def test_a_report_that_there_is_none_of_is_said_to_be_missing(report: str, dashboard: str, name: str) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{dashboard}/reports/{name.replace('..', '%2e%2e')}", timeout=30)
    assert refused.value.code in (400, 404)
    assert refused.value.code == 400 or "report" in refused.value.read().decode()


def test_whoever_has_to_sign_in_sees_nothing_before_and_everything_after(
    years: Path, report: str, chromium: Browser, tmp_path: Path
) -> None:
    with (
        oidc_provider() as metadata,
        running_dashboard(
            years,
            tmp_path / "log",
            {
                "TAXI_OIDC_METADATA_URL": metadata,
                "TAXI_OIDC_CLIENT_ID": CLIENT,
                "TAXI_OIDC_CLIENT_SECRET": "a secret",
                "TAXI_OIDC_COOKIE_SECRET": "a secret of more than 32 characters",
            },
        ) as url,
        looking(chromium, url, also=metadata.partition("/.well-known")[0]) as look,
    ):
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{url}/reports/{report}", timeout=30)
        assert refused.value.code == 403
        for path in ("", *PAGES, "quality?month=2025-03"):
            look.page.goto(f"{url}/{path}")
            expect(look.page.get_by_role("button", name="Sign in")).to_be_visible()
            assert look.page.locator(".js-plotly-plot").count() == 0
            assert "revenue" not in look.page.locator("body").inner_text().lower()
        look.page.get_by_role("button", name="Sign in").click()
        expect(look.page.locator(".js-plotly-plot").first).to_be_visible()
        look.rest()
        expect(look.page.get_by_text(f"Signed in as {PERSON['email']}")).to_be_attached()
        with look.page.expect_download() as downloading:
            look.page.get_by_role("button", name="Report").click()
        downloading.value.save_as(tmp_path / "report.html")
        month, version = report.split("/")
        kept = Path(Lake.in_folder(years).paths.report(month, version)).read_text()
        assert (tmp_path / "report.html").read_text() == kept
        look.page.get_by_role("button", name="Sign out").click()
        expect(look.page.get_by_role("button", name="Sign in")).to_be_visible()


def keep_picture(page: Page, name: str) -> None:
    """Keep the page for the documentation."""
    main = "document.querySelector('[data-testid=stMain]') ?? document.documentElement"  # a report has no frame
    height = page.evaluate(f"({main}).scrollHeight")
    page.set_viewport_size({"width": WIDE[0], "height": min(int(height), 1400)})
    page.wait_for_timeout(2_000)  # for what moves to come to rest
    page.screenshot(path=PICTURES / f"{name}.png")
