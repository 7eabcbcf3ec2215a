"""``python -m taxi_assets.dashboard``: the dashboard of the lake that the environment names, until a signal."""

from __future__ import annotations

import argparse
import importlib
import threading
from contextlib import suppress

from glue_jobs.errors import PipelineError
from taxi_assets.dashboard.screens import PAGES

# Before any thread imports: Plotly, which Streamlit imports, takes NumPy from sys.modules, half imported as it may be.
from taxi_assets.dashboard.server import serve


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m taxi_assets.dashboard", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    given = parser.parse_args()
    threading.Thread(target=_warm_up, daemon=True).start()
    serve(given.host, given.port)


def _warm_up() -> None:
    """Have ready what the first looks need (3 s for 36 months), while whoever started it opens a browser."""
    from taxi_assets.dashboard.shared import answers

    with suppress(PipelineError):  # the first look meets it, and shows it
        reader = answers().reader()
        months = reader.ask("summary").columns()["month"]
        for page in PAGES:
            importlib.import_module(f"taxi_assets.dashboard.screens.{page}")
        from taxi_assets.presentation import panels

        for month in months[-1:]:
            for panel in (panels.trend, panels.pickups, panels.hours):
                panel(reader, month)
            reader.ask("demand_of_all", month=month)


if __name__ == "__main__":
    main()
