"""The Dagster code location: ``defs``, made from the environment's settings. Nothing else."""

from __future__ import annotations

from taxi_assets.code_location import build_definitions
from taxi_assets.settings import Settings

defs = build_definitions(Settings())
