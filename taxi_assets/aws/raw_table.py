"""The raw files as a plain external table of the Glue Data Catalog, so that SQL can be asked of every layer.

Belongs here: ``raw.trips`` in Glue, one partition a month. Does not: the ledger that says which file is in force
(``lake.append_tables``), or any Iceberg table (``lake.catalog``).

A Hive-style table has one set of column types, and readers refuse a file of others. So only files whose columns have
today's physical types (``contracts.eras``) are registered, which those of 2023-02 and later have; columns that a file
lacks read as null. Other months are in ``raw.files`` and, in one shape, in staging.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glue_jobs.contracts.eras import ERAS
from taxi_assets.aws.client import explained

if TYPE_CHECKING:
    from taxi_assets.lake.append_tables import LandedFile

TABLE = "trips"
_DESCRIPTION = (
    "The TLC's yellow-taxi trip files as they came, those in force and of today's physical types only; months before "
    "2023-02 have others. staging.trips has every month in one shape."
)
_HIVE_TYPES = {
    "int32": "int",
    "int64": "bigint",
    "double": "double",
    "string": "string",
    "large_string": "string",
    "timestamp[us]": "timestamp",
}
_COLUMNS = {name.lower(): _HIVE_TYPES[kind] for name, kind in ERAS[-1].columns.items()}
_PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}


class RawTripsTable:
    """``raw.trips`` in the Glue database ``database``. ``root`` is the raw layer's folder, ``glue`` a boto3 client."""

    def __init__(self, glue: Any, database: str, root: str) -> None:
        self._glue, self._database, self._root = glue, database, root

    @explained("the plain table over the raw files could not be written")
    def put(self, file: LandedFile) -> bool:
        """Make ``file`` the content of its month; False, and no partition, if its types are not today's."""
        if not has_todays_types(json.loads(file.physical_schema)):
            self.drop(file.month)
            return False
        self._create()
        partition = self._partition(file)
        try:
            self._glue.create_partition(**self._names, PartitionInput=partition)
        except self._glue.exceptions.AlreadyExistsException:
            self._glue.update_partition(**self._names, PartitionValueList=partition["Values"], PartitionInput=partition)
        return True

    @explained("the plain table over the raw files could not be read")
    def locations(self) -> dict[str, str]:
        """Month to the folder that its partition points at; empty if the table does not exist."""
        try:
            pages = self._glue.get_paginator("get_partitions").paginate(**self._names)
            found = [partition for page in pages for partition in page["Partitions"]]
        except self._glue.exceptions.EntityNotFoundException:
            return {}
        return {"-".join(one["Values"]): one["StorageDescriptor"]["Location"].rstrip("/") for one in found}

    @explained("the plain table over the raw files could not be read")
    def columns(self) -> dict[str, str]:
        """Column to type as the catalog has them, partition columns included; empty if the table does not exist."""
        try:
            table = self._glue.get_table(DatabaseName=self._database, Name=TABLE)["Table"]
        except self._glue.exceptions.EntityNotFoundException:
            return {}
        return {one["Name"]: one["Type"] for one in (*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"])}

    @explained("the plain table over the raw files could not be written")
    def bring_up_to_date(self) -> None:
        """Create the table, or give it today's columns; its partitions stay as they are."""
        if self.columns() not in ({}, expected_columns()):
            self._glue.update_table(DatabaseName=self._database, TableInput=self._definition())
        else:
            self._create()

    @property
    def _names(self) -> dict[str, str]:
        return {"DatabaseName": self._database, "TableName": TABLE}

    def _create(self) -> None:
        if self.columns():
            return
        try:
            self._glue.create_table(DatabaseName=self._database, TableInput=self._definition())
        except self._glue.exceptions.AlreadyExistsException:
            return  # another run was quicker

    @explained("the plain table over the raw files could not be written")
    def drop(self, month: str) -> None:
        """Show nothing of ``month``."""
        if month in self.locations():
            self._glue.delete_partition(**self._names, PartitionValues=month.split("-"))

    def _definition(self) -> dict[str, Any]:
        return {
            "Name": TABLE,
            "Description": _DESCRIPTION,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
            "PartitionKeys": [{"Name": name, "Type": "string"} for name in ("year", "month")],
            "StorageDescriptor": {
                "Columns": _glue_columns(),
                "Location": f"{self._root}/dataset=nyc_taxi/",
                **_PARQUET,
            },
        }

    def _partition(self, file: LandedFile) -> dict[str, Any]:
        return {
            "Values": file.month.split("-"),
            "StorageDescriptor": {"Columns": _glue_columns(), "Location": folder_of(file) + "/", **_PARQUET},
            "Parameters": {"sha256": file.sha256, "rows": str(file.rows)},
        }


def folder_of(file: LandedFile) -> str:
    """The folder that holds this content and nothing else."""
    return file.path.rpartition("/")[0]


def expected_columns() -> dict[str, str]:
    """Column to Hive type, partition columns included."""
    return {**_COLUMNS, "year": "string", "month": "string"}


def has_todays_types(physical: Mapping[str, str]) -> bool:
    """Whether the columns of a file (name to Arrow type) that the table knows have the table's types."""
    return all(
        _HIVE_TYPES.get(kind) == _COLUMNS[name.lower()] for name, kind in physical.items() if name.lower() in _COLUMNS
    )


def _glue_columns() -> list[dict[str, str]]:
    return [{"Name": name, "Type": kind} for name, kind in _COLUMNS.items()]
