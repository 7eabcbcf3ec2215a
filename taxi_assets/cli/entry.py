"""Where the command ``taxi-assets`` begins.

Belongs here: what has to be there before anything is imported. Does not: commands (``main``).
"""

import sys


def main() -> None:
    """Run the command. Ctrl-C while it is still being imported ends it as quietly as later."""
    try:
        from taxi_assets.cli.main import main as command
    except KeyboardInterrupt:
        sys.exit(130)
    command(prog_name="taxi-assets")
