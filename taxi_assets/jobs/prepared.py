"""The Python of a laptop's next job, which imports what the job will import while something else is at work.

    python prepared.py MODULE…

Belongs here: that program, run by its path: the Python of the jobs need not have this project. Does not: starting it,
or any job (``local``). A job waited 0.8 to 1.9 s for its imports, on a machine whose other core was idle.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
from pathlib import Path


def main() -> None:
    """Import the modules, wait for one line of JSON, ``{"environment", "command"}``, and run that script.

    Ends if standard input does first: whoever wanted a job is gone.
    """
    own = str(Path(__file__).resolve().parent)
    sys.path[:] = [folder for folder in sys.path if folder != own]  # its modules have names of the standard library
    for module in sys.argv[1:]:
        importlib.import_module(module)
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        return
    asked = json.loads(line)
    os.environ.update(asked["environment"])
    sys.argv = asked["command"]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
