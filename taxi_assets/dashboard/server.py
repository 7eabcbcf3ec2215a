"""How the dashboard is served: Streamlit's options, and the addresses beside its pages.

Belongs here: options, the route of reports, the outlines that the map asks for. Does not: what pages show (``app``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from streamlit.starlette import App

from taxi_assets.dashboard.login import secrets
from taxi_assets.dashboard.look import OUTLINES_AT
from taxi_assets.dashboard.shared import answers
from taxi_assets.lake.reports import NoReport, read_report
from taxi_assets.presentation.theme import DARK, LIGHT
from taxi_assets.presentation.zone_map import OUTLINES
from taxi_assets.settings import Settings

SCRIPT = Path(__file__).parent / "app.py"


def command(host: str, port: int) -> list[str]:
    """The command that serves the dashboard of the lake that the environment names, until it is stopped."""
    return [sys.executable, "-m", "taxi_assets.dashboard", "--host", host, "--port", str(port)]


def serve(host: str, port: int) -> None:
    """Serve until a signal ends it."""
    App(
        SCRIPT,
        secrets=secrets(Settings()),
        routes=[
            Route(f"{OUTLINES_AT}world_110m.json", lambda _: JSONResponse(OUTLINES)),
            Route("/reports/{month}", _report),
            Route("/reports/{month}/{version}", _report),
        ],
    ).run(config=_options(host, port))


def _options(host: str, port: int) -> dict[str, Any]:
    """Nothing is fetched from elsewhere or told to anybody: usage statistics are off, and an error shows no code."""
    options: dict[str, Any] = {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.enableXsrfProtection": True,
        "server.websocketPingInterval": 20,
        "browser.gatherUsageStats": False,
        "browser.serverAddress": host,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "viewer",
        "logger.level": "warning",
        "runner.magicEnabled": False,
    }
    for theme, colours in (("light", LIGHT), ("dark", DARK)):
        options |= {f"theme.{theme}.{name}": value for name, value in colours.items()}
    return options


def _report(request: Request) -> Response:
    """A month's report: the newest, or the one of a version. Starlette calls it in a thread of its own."""
    if Settings().dashboard_has_login:  # whose cookie Streamlit alone can read
        return PlainTextResponse("Sign in: the dashboard's first page has the report to download.", status_code=403)
    try:
        page = read_report(answers().paths, request.path_params["month"], request.path_params.get("version"))
    except NoReport as error:
        return PlainTextResponse(str(error), status_code=404)
    return HTMLResponse(page)
