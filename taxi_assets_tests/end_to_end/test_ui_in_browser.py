"""Dagster's pages in a real browser: what people look at, and the button that they press.

With ``TAXI_TESTS_WRITE_PICTURES=1`` the pictures of docs/ui.md are written again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect, sync_playwright

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES
from taxi_assets.definitions import MONTH_JOB
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.partitions import MONTHS
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import write_source
from taxi_assets_tests.support.browser import chromium_program
from taxi_assets_tests.support.dagster_dev import ROOT, Dagster, running_dagster
from taxi_assets_tests.support.waiting import HANGS_AFTER, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.daemon]

GOOD, REFUSED, NEXT = MONTHS.get_partition_keys()[-3:]
"""The newest months: the matrix of partitions begins with them."""
ROWS = 2_000
PICTURES = ROOT / "docs" / "images"
VIEWPORT: ViewportSize = {"width": 1600, "height": 1000}
JOB_PARTITIONS = f"/locations/nyc-taxi-lakehouse/jobs/{MONTH_JOB}/partitions"
PATIENCE = HANGS_AFTER * 1000
"""Milliseconds for a page to show something."""


@pytest.fixture(scope="module")
def dagster(
    browser: Page,
    run: Callable[..., MonthResult],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Dagster]:
    """Dagster of a lake in which one month is published, one was refused, and one waits at the source."""
    folder = tmp_path_factory.mktemp("ui")
    source, lake = folder / "source", folder / "lake"
    for month in (GOOD, REFUSED, NEXT):
        write_source(source, month, ROWS, days=3)
    end_before_they_begin(write_source(source, REFUSED, ROWS, days=3))
    assert run(lake, source, GOOD).succeeded
    assert not run(lake, source, REFUSED).succeeded
    with running_dagster(Settings(lake=str(lake), source=str(source)), {}) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    """A page of Debian's Chromium."""
    program = chromium_program()
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        # A container has no user namespaces for the sandbox; all pages are this machine's own.
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"], timeout=PATIENCE)
        page = chromium.new_page(viewport=VIEWPORT)
        page.set_default_timeout(PATIENCE)
        yield page
        chromium.close()


def end_before_they_begin(file: Path) -> None:
    """Make a quarter of the trips of ``file`` unusable: far more than may be quarantined."""
    trips = pq.read_table(file)
    at = trips.schema.get_field_index("tpep_dropoff_datetime")
    field = trips.schema.field(at)
    hour_before = pc.subtract(trips["tpep_pickup_datetime"], pa.scalar(3_600_000_000, pa.duration("us")))
    each_fourth = pa.array([row % 4 == 0 for row in range(trips.num_rows)])
    ends = pc.if_else(each_fourth, hour_before.cast(field.type), trips.column(at))
    pq.write_table(trips.set_column(at, field, ends), file)


def keep_picture(page: Page, name: str, above: Locator | None = None) -> None:
    """Keep what the page shows for the documentation, if that was asked for; of it only what is ``above`` something."""
    if os.environ.get("TAXI_TESTS_WRITE_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        page.mouse.move(0, 0)
        page.wait_for_load_state("networkidle")  # for what is asked for after the page is there, as states of assets
        page.wait_for_timeout(5_000)  # for what moves to come to rest
        box = above.bounding_box() if above else None
        whole = page.viewport_size or VIEWPORT
        height = box["y"] if box else whole["height"]
        page.screenshot(path=PICTURES / f"{name}.png", clip={"x": 0, "y": 0, "width": whole["width"], "height": height})


def test_the_lineage_runs_from_the_source_to_the_curated_tables(dagster: Dagster, browser: Page) -> None:
    # Without the views, which are so many that the page shows all names too small to be read.
    groups = " or ".join(f'group:"{name}"' for name in ("source", "raw", "staging", "curated"))
    browser.goto(f"{dagster.url}/asset-groups~{quote(groups)}")
    expect(browser.get_by_role("button", name=re.compile("Materialize"))).to_be_visible()
    names = ("trips", "zones", "quarantine", *CURATED_TABLES)
    seen: list[dict[str, list[int]]] = [{}]

    def columns(name: str) -> list[int]:
        """From left to right, where the assets of a name are; a long name is shown with a gap in its middle."""
        nodes = browser.get_by_text(re.compile(f"^({name}|{name[:8]}.*….*{name[-6:]})$"))
        boxes = [node.bounding_box() for node in nodes.all()]
        return sorted(round(box["x"] + box["width"] / 2) for box in boxes if box)

    def is_at_rest() -> bool:
        if not seen[-1].get("quarantine"):
            browser.keyboard.press("Alt+e")  # opens all groups, once the page listens
        seen.append({name: columns(name) for name in names})
        return seen[-1] == seen[-2] and all(seen[-1].values())

    wait_until(is_at_rest, lambda: str(seen[-1]), every=0.5)
    source, raw, staging = seen[-1]["trips"]
    [curated] = seen[-1]["daily_metrics"]
    assert source < raw < staging < curated
    assert seen[-1]["zones"] == pytest.approx([source, raw], abs=2)
    assert seen[-1]["quarantine"] == pytest.approx([staging], abs=2)
    assert all(seen[-1][name] == pytest.approx([curated], abs=2) for name in CURATED_TABLES)
    keep_picture(browser, "lineage")


def test_the_matrix_of_partitions_shows_what_is_published_and_what_was_refused(dagster: Dagster, browser: Page) -> None:
    browser.goto(f"{dagster.url}{JOB_PARTITIONS}")
    browser.get_by_role("button", name="Show per-asset status").click()

    def states(month: str) -> tuple[int, int]:
        column = browser.get_by_text(month, exact=True).locator("xpath=../..")
        return column.locator("[class*=success]").count(), column.locator("[class*=failure]").count()

    expect(browser.get_by_text(REFUSED, exact=True)).to_be_visible()
    tables = len(MONTHLY_TABLES)
    wait_until(lambda: states(GOOD) == (3 + tables, 0), lambda: str(states(GOOD)), every=0.5)
    assert states(REFUSED) == (2, tables + 1)  # landed, and nothing made of it, the report neither
    assert states(NEXT) == (0, 0)
    keep_picture(browser, "partitions")


def test_the_checks_show_which_passed_and_which_failed(dagster: Dagster, browser: Page) -> None:
    browser.goto(f"{dagster.url}/assets/staging/quarantine?view=checks&checkDetail=is_small")
    for check, state in (("conforms_to_contract", "Succeeded"), ("is_small", "Failed")):
        expect(browser.get_by_title(check).locator("xpath=following-sibling::span")).to_have_text(state)
    expect(browser.get_by_text(REFUSED, exact=True)).to_be_visible()
    keep_picture(browser, "checks")


def test_a_materialization_shows_its_numbers_before_its_ids(dagster: Dagster, browser: Page) -> None:
    browser.goto(f"{dagster.url}/assets/curated/daily_metrics?view=partitions&partition={GOOD}")
    keys = browser.locator("table tbody tr td:first-child")
    expect(keys.filter(has_text="snapshot_id").first).to_be_visible()
    shown = keys.all_inner_texts()
    numbers = ["trips", "refunds", "net_revenue_usd", "average_total_usd"]
    assert shown[shown.index("trips") :][:4] == numbers
    assert shown.index("preview") < shown.index("snapshot_id")
    # Below are paths of this machine.
    keep_picture(browser, "materialization", above=keys.filter(has_text=re.compile("^engine$")).first)


def test_the_button_materializes_a_month(dagster: Dagster, browser: Page) -> None:
    browser.goto(f"{dagster.url}{JOB_PARTITIONS}")
    browser.get_by_role("button", name=re.compile("Materialize…")).click()
    months = browser.get_by_placeholder("ex: 2011")
    months.fill(NEXT)
    months.press("Tab")
    keep_picture(browser, "materialize")
    browser.get_by_role("button", name="Launch 1 run").click()
    wait_until(lambda: len(dagster.runs()) == 3, dagster.log, every=0.5)
    browser.goto(f"{dagster.url}/runs/{dagster.runs()[0]['runId']}")
    expect(browser.get_by_text("Success", exact=True)).to_be_visible()
    keep_picture(browser, "run")
    publisher = Lake.in_folder(dagster.lake).publisher
    assert all(publisher.live(table, NEXT) is not None for table in MONTHLY_TABLES.values())


def test_the_columns_say_their_unit_and_what_they_are_computed_from(dagster: Dagster, browser: Page) -> None:
    browser.goto(f"{dagster.url}/assets/curated/daily_metrics?view=overview")
    row = browser.locator("tr").filter(has=browser.get_by_text("gross_revenue", exact=True)).first
    expect(row).to_contain_text("unit: USD")
    expect(row).to_contain_text("total_amount of trips (from total_amount, is_refund)")
    keep_picture(browser, "columns")
