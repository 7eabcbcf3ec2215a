"""``python -m taxi_assets.dashboard``: Streamlit with the dashboard's script; arguments are Streamlit's options."""

from __future__ import annotations

import importlib
import sys
import threading
from contextlib import suppress

from streamlit.web import cli

from glue_jobs.errors import PipelineError
from taxi_assets.dashboard.screens import PAGES
from taxi_assets.dashboard.server import APP


def main() -> None:
    """Serve until a signal ends it."""
    threading.Thread(target=_warm_up, daemon=True).start()
    sys.argv = ["streamlit", "run", str(APP), *sys.argv[1:]]
    cli.main(prog_name="streamlit")


def _warm_up() -> None:
    """Have ready what the first look needs (3 s for 36 months), while whoever started it opens a browser."""
    from taxi_assets.dashboard.shared import answers

    for page in PAGES:
        importlib.import_module(f"taxi_assets.dashboard.screens.{page}")
    with suppress(PipelineError):  # the first look meets it, and shows it
        answers().reader().ask("summary")


if __name__ == "__main__":
    main()
