"""``python -m taxi_assets``: the command ``taxi-assets``."""

from taxi_assets.cli.entry import main

if __name__ == "__main__":
    main()
