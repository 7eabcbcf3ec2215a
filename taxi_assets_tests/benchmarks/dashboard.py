"""Time the dashboard as somebody in front of it does, over 36 months, and watch its memory.

    python -m taxi_assets_tests.benchmarks.dashboard                  # made of one synthetic month
    python -m taxi_assets_tests.benchmarks.dashboard --like LAKE      # made of the newest month of a lake

Drawn means that the script is at rest and the charts are there. The peer is Streamlit itself: the same for a page
without any number, that of an empty lake.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

from taxi_assets.lake.lake import Lake
from taxi_assets_tests.benchmarks.queries import synthetic
from taxi_assets_tests.support.browser import chromium_program
from taxi_assets_tests.support.dashboard_server import running_dashboard
from taxi_assets_tests.support.many_months import NEWEST, lake_like

AT_REST = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--loads", type=int, default=200)
    parser.add_argument("--like", type=Path, help="a lake whose newest month is copied")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        lake = folder / "many"
        lake_like(arguments.like or synthetic(folder / "one"), lake, arguments.months)
        Lake.in_folder(folder / "empty")
        browser = playwright.chromium.launch(executable_path=chromium_program(), args=["--no-sandbox"])
        with running_dashboard(folder / "empty", folder / "peer.log") as url:
            _first(browser, url)
            peer = [_first(browser, url) for _ in range(arguments.rounds)]
        console.print(f"Streamlit alone, a page of words: {statistics.median(peer):.2f} s")
        cold = []
        for _ in range(3):
            with running_dashboard(lake, folder / "log") as url:
                cold.append(_first(browser, url))
        console.print(f"first page of {arguments.months} months, server just started: {statistics.median(cold):.2f} s")
        with running_dashboard(lake, folder / "log") as url:
            _first(browser, url)
            warm = [_first(browser, url) for _ in range(arguments.rounds)]
            console.print(f"first page, warm: {statistics.median(warm):.2f} s, {_ratio(warm, peer)}")
            console.print(f"another borough: {statistics.median(_choices(browser, url)):.2f} s")
            before = _megabytes(url)
            page = browser.new_page()
            for at in range(arguments.loads):
                _drawn(page, f"{url}/{('', 'demand', 'places', 'money')[at % 4]}")
                if at + 1 in (arguments.loads // 4, arguments.loads):
                    console.print(f"memory after {at + 1} loads: {_megabytes(url):.0f} MB (before: {before:.0f})")
        browser.close()


def _first(browser: Browser, url: str) -> float:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    begun = time.perf_counter()
    _drawn(context.new_page(), url)
    taken = time.perf_counter() - begun
    context.close()
    return taken


def _drawn(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("h2")
    page.wait_for_selector(AT_REST)
    if page.get_by_test_id("stPlotlyChart").count():
        page.wait_for_selector(".js-plotly-plot .main-svg")


def _choices(browser: Browser, url: str) -> list[float]:
    page = browser.new_page()
    _drawn(page, f"{url}/demand?month={NEWEST}")
    taken = []
    for borough in ("Queens", "Bronx", "Brooklyn", "Manhattan"):
        page.get_by_role("combobox", name="Borough").click()
        option = page.get_by_role("option", name=borough)
        begun = time.perf_counter()
        option.click()
        page.get_by_text(re.compile(f"^{borough}: mean of the days")).wait_for()
        page.wait_for_selector(AT_REST)
        taken.append(time.perf_counter() - begun)
    page.close()
    return taken


def _megabytes(url: str) -> float:
    """Resident memory of the server that listens at the address."""
    found = subprocess.run(
        ["pgrep", "-f", f"taxi_assets.dashboard .*--port {url.rpartition(':')[2]}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    status = Path(f"/proc/{found[0]}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024


def _ratio(ours: list[float], theirs: list[float]) -> str:
    return f"{statistics.median(ours) / statistics.median(theirs):.1f} times Streamlit alone"


if __name__ == "__main__":
    main()
