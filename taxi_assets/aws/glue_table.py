"""An Iceberg table of the Glue Data Catalog, pointed at other metadata.

Belongs here: what PyIceberg's catalog cannot do. Does not: writing the metadata (``lake.relocation``).
"""

from __future__ import annotations

from typing import Any

from taxi_assets.aws.client import explained

_INPUT = ("Name", "Description", "Owner", "Retention", "PartitionKeys", "TableType", "Parameters", "StorageDescriptor")
"""What update_table takes of that which get_table gives."""


def point_at(glue: Any, database: str, name: str, metadata_location: str, location: str) -> None:
    """Make ``metadata_location`` the state of an Iceberg table whose folder is ``location``; ``glue`` is a client.

    AwsError, also if another commit came first; nothing is changed then.
    """
    with explained(f"{database}.{name} could not be pointed at {metadata_location}"):
        found = glue.get_table(DatabaseName=database, Name=name)["Table"]
        table = {key: found[key] for key in _INPUT if key in found}
        before = found["Parameters"]["metadata_location"]
        locations = {"metadata_location": metadata_location, "previous_metadata_location": before}
        table["Parameters"] = {**found["Parameters"], **locations}
        table["StorageDescriptor"] = {**found["StorageDescriptor"], "Location": location}
        glue.update_table(DatabaseName=database, TableInput=table, SkipArchive=True, VersionId=found["VersionId"])
