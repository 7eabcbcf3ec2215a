"""``python -m taxi_assets``: the command ``taxi-assets``."""

from taxi_assets.cli.main import main

if __name__ == "__main__":
    main(prog_name="taxi-assets")
