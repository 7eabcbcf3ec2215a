"""The sensor ``follow_upstream``: months that follow what was materialized upstream of them.

Belongs here: whom it asks. Does not: the condition itself (``assets.policies``).
"""

from __future__ import annotations

import dagster as dg

from taxi_assets.asset_keys import REPORT

follow_upstream = dg.AutomationConditionSensorDefinition(
    "follow_upstream",
    target=dg.AssetSelection.groups("staging", "curated") | dg.AssetSelection.assets(REPORT),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="A raw month materializes staging, and staging the five tables, and they the report.",
)
