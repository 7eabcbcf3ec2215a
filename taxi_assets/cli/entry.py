"""Where the command ``taxi-assets`` begins.

Belongs here: what has to be there before anything is imported. Does not: commands (``main``).
"""

import gc
import sys

# By default 700 new objects start a collection, and what is imported and kept is looked through again and again: of the
# 4.5 s that a run takes to import and define what it runs, 0.7 s were spent so.
_NEW_OBJECTS_FOR_A_COLLECTION = 50_000


def main() -> None:
    """Run the command. Ctrl-C while it is still being imported ends it as quietly as later."""
    gc.set_threshold(_NEW_OBJECTS_FOR_A_COLLECTION, *gc.get_threshold()[1:])
    try:
        from taxi_assets.cli.main import main as command
    except KeyboardInterrupt:
        sys.exit(130)
    command(prog_name="taxi-assets")
