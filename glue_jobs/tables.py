"""Reading one version of a table of the lake with Spark.

Belongs here: the explicit schema of a contract, and folders without files. Does not: writing, or which version.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from glue_jobs.contracts import Table
from glue_jobs.files import count_parquet_files


def read_table(spark: SparkSession, table: Table, folder: str, columns: tuple[str, ...] = ()) -> DataFrame:
    """The rows of ``folder`` with the contract's columns, or only ``columns`` of them; no rows if it has no files."""
    chosen = columns or table.column_names
    schema = ", ".join(f"`{name}` {table.column(name).type.ddl}" for name in chosen)
    if count_parquet_files(folder) == 0:
        return spark.createDataFrame([], schema)
    return spark.read.schema(schema).parquet(folder)
