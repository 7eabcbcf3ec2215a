"""Links from an asset to the code that makes it, for who reads the pages on the machine that has the code.

Belongs here: which files. Does not: links to a hosted repository: the project names none.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

import glue_jobs

_JOBS = Path(glue_jobs.__file__).parent
_COMPUTED_IN = {
    "raw": ("ingest_raw.py",),
    "staging": ("stage_trips.py", "transforms/enrich.py", "contracts/rules.py"),
    "curated": ("transforms/curated.py",),
}
"""What the jobs do to a layer's rows, below ``glue_jobs``."""


def with_code_links(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets, each with links to its step and to what the job does to its rows."""
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
    computed = [
        dg.LocalFileCodeReference(file_path=str(_JOBS / name), label=f"glue_jobs/{name}")
        for name in _COMPUTED_IN[spec.key.path[0]]
    ]
    return {
        "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[*step.code_references, *computed])
    }
