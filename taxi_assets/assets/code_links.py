"""Links from an asset to the code that makes it, for who reads the pages on the machine that has the code.

Belongs here: which files. Does not: links to a hosted repository: the project names none.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

import glue_jobs
from taxi_assets.warehouse.view import SCHEMA

_CODE = Path(glue_jobs.__file__).parent.parent
_COMPUTED_IN = {
    "reference": ("taxi_assets/reference/{table}.py",),
    "raw": ("glue_jobs/ingest_raw.py",),
    "staging": ("glue_jobs/stage_trips.py", "glue_jobs/transforms/enrich.py", "glue_jobs/contracts/rules.py"),
    "curated": ("glue_jobs/transforms/curated.py",),
    "operations": ("taxi_assets/warehouse/redshift_ddl.py",),
    "dashboard": ("taxi_assets/presentation/{table}.py",),
    SCHEMA: ("taxi_assets/warehouse/views/{table}.sql",),
}
"""Layer to what makes its rows, by table where each has a file of its own."""


def with_code_links(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets, each with links to its step and to what makes its rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # links to code are new in Dagster 1.13
        return [
            asset.map_asset_specs(lambda spec: spec.merge_attributes(metadata=_links(spec)))
            for asset in dg.with_source_code_references(assets)
            if isinstance(asset, dg.AssetsDefinition)
        ]


def _links(spec: dg.AssetSpec) -> dict[str, dg.CodeReferencesMetadataValue]:
    step = spec.metadata["dagster/code_references"]
    assert isinstance(step, dg.CodeReferencesMetadataValue)
    layer, table = spec.key.path
    names = [name.format(table=table) for name in _COMPUTED_IN[layer]]
    computed = [dg.LocalFileCodeReference(file_path=str(_CODE / name), label=name) for name in names]
    return {
        "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[*step.code_references, *computed])
    }
