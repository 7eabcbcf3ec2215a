"""The synthetic source's map of zones in a lake whose source had none.

Belongs here: publishing it. Does not: how the asset does (``assets/test_zones.py``).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from glue_jobs.contracts import ZONES, tlc
from glue_jobs.files import parse_zones
from glue_jobs.sources.synthetic import make_shapes, make_zones
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.reference import publish
from taxi_assets.reference.zones import rows


def publish_map(lake: Lake) -> None:
    """Publish ``reference.zones``."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, tlc.SHAPES_FILE_NAME)
        file.write_bytes(make_shapes())
        publish(lake.catalog, ZONES, rows(file, parse_zones(make_zones(), "lookup"), "synthetic"))
