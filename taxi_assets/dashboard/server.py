"""How Streamlit is started for the dashboard.

Belongs here: its options. Does not: what it shows (``app``).
"""

from __future__ import annotations

import sys
from pathlib import Path

from taxi_assets.dashboard.theme import DARK, LIGHT

APP = Path(__file__).parent / "app.py"


def command(host: str, port: int) -> list[str]:
    """The command that serves the dashboard of the lake that the environment names, until it is stopped.

    Nothing is fetched from elsewhere or told to anybody: usage statistics are off, and an error shows no code.
    """
    options: dict[str, str | int | bool] = {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.enableStaticServing": True,
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
    flags = [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in options.items()]
    return [sys.executable, "-m", "taxi_assets.dashboard", *flags]
