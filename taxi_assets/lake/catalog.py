"""The lake's Iceberg tables, made from the contracts.

Belongs here: translating a contract to Iceberg, opening and creating tables. Does not: their data.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, TypeVar

from pyarrow import ArrowException
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table as IcebergTable
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    TimestampType,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from glue_jobs.contracts import Table
from glue_jobs.contracts.model import Type
from glue_jobs.errors import Cause, PipelineError
from taxi_assets.aws.client import AWS_ERRORS, aws_error_in
from taxi_assets.aws.glue_table import point_at
from taxi_assets.lake.paths import LakePaths, is_below
from taxi_assets.lake.relocation import write_again

_TYPES: dict[Type, PrimitiveType] = {
    Type.STRING: StringType(),
    Type.INT: IntegerType(),
    Type.BIGINT: LongType(),
    Type.DOUBLE: DoubleType(),
    Type.BOOLEAN: BooleanType(),
    Type.DATE: DateType(),
    Type.TIMESTAMP_NTZ: TimestampType(),
    Type.MONEY: DecimalType(10, 2),
    Type.MONEY_SUM: DecimalType(18, 2),
}
_PROPERTIES = {
    "format-version": "2",
    # Retrying is ours (``LakeCatalog.commit``): PyIceberg's own would append a month twice when two runs publish it
    # for the first time, because neither has anything to delete that the other could conflict with.
    "commit.retry.num-retries": "0",
    # Metadata files are kept for the last commits only; snapshots, and so versions, are not affected.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
}
_GLUE_TYPES = {"long": "bigint"}
_ATTEMPTS = 12
LOCKED_SECONDS = 60.0
"""For another program to let go of ``catalog.db``; runs hold it for milliseconds."""
SECONDS_IN_SILENCE = 2
"""That SQLite waits by itself, before it is said what is waited for."""
_SECONDS_BETWEEN_WORDS = 10
_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")
_LAKE_ERRORS = (*AWS_ERRORS, SQLAlchemyError, ArrowException)
_FIRST_PARTITION_FIELD_ID = 1000
"""Iceberg's convention for the first id of a partition field."""


def iceberg_schema(table: Table) -> Schema:
    """The table's columns as an Iceberg schema: the contract's field ids, types and descriptions.

    All are optional: Spark writes every column as nullable; nulls are refused by the checks instead.
    """
    return Schema(
        *(
            NestedField(column.field_id, column.name, _TYPES[column.type], required=False, doc=column.comment)
            for column in table.columns
        )
    )


def partition_spec(table: Table) -> PartitionSpec:
    """Identity partitioning by the contract's partition columns."""
    return PartitionSpec(
        *(
            PartitionField(table.column(name).field_id, _FIRST_PARTITION_FIELD_ID + i, IdentityTransform(), name)
            for i, name in enumerate(table.partition_by)
        )
    )


def _descriptions(table: Table) -> dict[str, str]:
    """The table's description under the names by which Spark and the Glue Data Catalog know it."""
    return {"comment": table.description, "Description": table.description}


def _evolved(iceberg: IcebergTable, table: Table) -> IcebergTable:
    """The table with the columns and descriptions that its contract has gained since.

    RuntimeError if the columns get other field ids than the contract's.
    """
    known = {field.field_id: field for field in iceberg.schema().fields}
    gained = [column for column in table.columns if column.field_id not in known]
    reworded = [
        column for column in table.columns if column not in gained and known[column.field_id].doc != column.comment
    ]
    if gained or reworded:
        with iceberg.update_schema() as change:
            for column in gained:
                change.add_column(column.name, _TYPES[column.type], doc=column.comment)
            for column in reworded:
                change.update_column(column.name, doc=column.comment)
    if any(iceberg.properties.get(name) != text for name, text in _descriptions(table).items()):
        _set_properties(iceberg, _descriptions(table))
    for column in gained:
        if (given := iceberg.schema().find_field(column.name).field_id) != column.field_id:
            raise RuntimeError(f"{table.full_name}.{column.name} has field id {given}, not {column.field_id}")
    return iceberg


def _root_of(iceberg: IcebergTable, table: Table) -> str:
    """The root of the lake that the table's metadata lies in."""
    return iceberg.metadata_location.partition(f"/{table.layer}/{table.name}/")[0]


def _set_properties(iceberg: IcebergTable, properties: Mapping[str, str]) -> None:
    with iceberg.transaction() as transaction:
        transaction.set_properties(dict(properties))


def glue_columns(table: Table) -> dict[str, tuple[str, str]]:
    """Column to type and comment, as the Glue Data Catalog is to show them."""
    return {
        field.name: (_GLUE_TYPES.get(str(field.field_type), str(field.field_type).replace(", ", ",")), field.doc or "")
        for field in iceberg_schema(table).fields
    }


class CatalogUnavailable(PipelineError):
    """The catalog, or a table's metadata, cannot be read or written; readers see what they saw before."""

    cause = Cause.LAKE


class TableBusy(PipelineError):
    """Other commits came first, again and again; nothing was changed."""

    cause = Cause.CONFLICT


@contextlib.contextmanager
def _translated(table: Table, doing: str) -> Iterator[None]:
    """Say which table an error of AWS, of the catalog's database, or of a file is about."""
    try:
        yield
    except _LAKE_ERRORS as error:
        problem = f"{table.full_name} could not be {doing}: {_said_by(error)}. Readers see what they saw before"
        raise CatalogUnavailable(problem, _remedy_of(error)) from error


@contextlib.contextmanager
def reading(table: Table) -> Iterator[None]:
    """For a block of PyIceberg's reading alone: CatalogUnavailable names the table whose metadata is damaged."""
    with _translated(table, "read"):
        try:
            yield
        except (PipelineError, NoSuchTableError, *_LAKE_ERRORS):
            raise
        except Exception as error:  # of damaged Avro came UnicodeDecodeError, zlib.error, SystemError, MemoryError …
            problem = f"the metadata of {table.full_name} is damaged: {_said_by(error)}"
            raise CatalogUnavailable(problem, _remedy_of(error)) from error


def lake_error_in(error: Exception) -> CatalogUnavailable | None:
    """What an error means that the lake's catalog, its files or the disk raised; None for any other."""
    if isinstance(error, _LAKE_ERRORS) or type(error).__module__ == "pyiceberg.exceptions":
        return CatalogUnavailable(_said_by(error), _remedy_of(error))
    return None


def _said_by(error: Exception) -> str:
    """Without the statement and the link that SQLAlchemy adds."""
    return " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())


def _remedy_of(error: Exception) -> str:
    if (of_aws := aws_error_in(error)) is not None:
        return f"{of_aws.remedy}, then run the month again"
    if isinstance(error, SQLAlchemyError):
        return "see to catalog.db in the lake: that it is whole, can be written, and that no other program holds it"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "see that this user may read and write there"
    return "see to the disk; bring a file that is gone or damaged back from a backup"


def when_unlocked(root: str, action: Callable[[], _Result]) -> _Result:
    """What ``action`` returns, tried again while another program holds the ``catalog.db`` of the lake ``root``.

    CatalogUnavailable if it does so for ``LOCKED_SECONDS``. ``action`` must be one that may be done from its beginning.
    """
    begun = time.monotonic()
    last_said = begun - _SECONDS_BETWEEN_WORDS
    while True:
        try:
            return action()
        except (OperationalError, sqlite3.OperationalError) as error:
            if "locked" not in str(getattr(error, "orig", error)):
                raise
            now = time.monotonic()
            waited = now - begun
            if waited >= LOCKED_SECONDS:
                raise CatalogUnavailable(
                    f"{root}/catalog.db has been locked by another program for {waited:.0f} s. Readers see what they "
                    "saw before",
                    "end that program, or its transaction, such as a database browser or a copy or backup of the file "
                    f"(lsof {root}/catalog.db names it), then try again",
                ) from error
            if now - last_said >= _SECONDS_BETWEEN_WORDS:
                last_said = now
                said = "%s/catalog.db is locked by another program: waiting, %.0f of at most %.0f s"
                _log.warning(said, root, waited, LOCKED_SECONDS)


class LakeCatalog:
    """Opens the lake's tables, creating those that do not exist yet.

    ``properties`` are PyIceberg's. The tables of a layer lie in the namespace (the Glue database)
    ``database_prefix`` + layer: a catalog that others use too already has a "raw".
    """

    def __init__(self, paths: LakePaths, properties: Mapping[str, str], database_prefix: str = "") -> None:
        self._paths = paths
        self._prefix = database_prefix
        try:
            self._catalog: Catalog = when_unlocked(paths.root, lambda: load_catalog("lake", **dict(properties)))
        except (*AWS_ERRORS, SQLAlchemyError) as error:
            said = _said_by(error)
            if "already exists" not in said:
                problem = f"the catalog of the lake {paths.root} cannot be opened: {said}"
                raise CatalogUnavailable(problem, _remedy_of(error)) from error
            # Two runs made a new lake's catalog at once; the other one's is there now.
            self._catalog = load_catalog("lake", **dict(properties))

    def open(self, table: Table) -> IcebergTable:
        """The Iceberg table of a contract, at its newest state."""
        if (found := self.find(table)) is not None:
            return found
        with _translated(table, "made"):
            return when_unlocked(self._paths.root, lambda: self._create(table))

    def _create(self, table: Table) -> IcebergTable:
        with contextlib.suppress(NamespaceAlreadyExistsError, IntegrityError):  # another run was quicker
            self._catalog.create_namespace_if_not_exists(self.database(table.layer))
        try:
            return self._catalog.create_table(
                self._identifier(table),
                schema=iceberg_schema(table),
                partition_spec=partition_spec(table),
                location=self._paths.table(table),
                properties={**_PROPERTIES, **_descriptions(table)},
            )
        except TableAlreadyExistsError:
            return self._catalog.load_table(self._identifier(table))

    def find(self, table: Table) -> IcebergTable | None:
        """The Iceberg table of a contract, at its newest state; None if it has not been created."""
        try:
            with reading(table):
                found = when_unlocked(self._paths.root, lambda: self._catalog.load_table(self._identifier(table)))
        except NoSuchTableError:
            return None
        if not is_below(found.metadata_location, self._paths.root):
            # In S3: the lake in a folder has been put right before (``relocation``).
            where = _root_of(found, table)
            raise CatalogUnavailable(
                f"{self.database(table.layer)}.{table.name} of the catalog lies in {where}, not in {self._paths.root}",
                f"set TAXI_LAKE={where}; for a copy, give it databases of its own (TAXI_DATABASE_PREFIX); if the lake "
                "was moved for good: taxi-assets catalog relocate",
            )
        return found

    def relocate(self, table: Table) -> str | None:
        """Have the Glue Data Catalog's table, of a lake in S3 that was moved here, speak of the files here.

        Returns where the lake lay before; None if there was nothing to do. The files there are not touched. NotHere if
        the table's files were not copied.
        """
        database, name = self._identifier(table)
        try:
            with _translated(table, "read"):
                found = self._catalog.load_table((database, name))
        except NoSuchTableError:
            return None
        if is_below(found.metadata_location, self._paths.root):
            return None
        before = _root_of(found, table)
        with _translated(table, "written"):
            moved = write_again(found.io, found.metadata_location, before, self._paths.root)
        point_at(getattr(self._catalog, "glue"), database, name, moved, self._paths.table(table))  # noqa: B009
        return before

    def bring_up_to_date(self, table: Table) -> None:
        """Create the table, or give it what its contract has gained since; its rows stay as they are."""
        self.commit(table, lambda _: None)
        if self.columns_in_glue(table) not in (None, glue_columns(table)):
            # Glue's columns are a copy that PyIceberg writes with each commit: another one repairs it.
            now = datetime.now(timezone.utc).isoformat()
            self.commit(table, lambda iceberg: _set_properties(iceberg, {"taxi.catalog-updated-at": now}))

    def database(self, layer: str) -> str:
        """The namespace, in Glue the database, that the tables of a layer lie in."""
        return f"{self._prefix}{layer}"

    def columns_in_glue(self, table: Table) -> dict[str, tuple[str, str]] | None:
        """Column to type and comment as the Glue Data Catalog shows them; None if the catalog is another."""
        glue = getattr(self._catalog, "glue", None)
        if glue is None:
            return None
        database, name = self._identifier(table)
        with _translated(table, "read"):
            found = glue.get_table(DatabaseName=database, Name=name)["Table"]
        return {
            column["Name"]: (column["Type"], column.get("Comment", ""))
            for column in found["StorageDescriptor"]["Columns"]
        }

    def _identifier(self, table: Table) -> tuple[str, str]:
        return self.database(table.layer), table.name

    def commit(self, table: Table, change: Callable[[IcebergTable], None]) -> None:
        """Apply ``change`` to the table's newest state, again from its newest state if another commit came first.

        TableBusy if that happens ``_ATTEMPTS`` times; what ``change`` raises ends it at once.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with _translated(table, "written"):
                    when_unlocked(self._paths.root, lambda: change(_evolved(self.open(table), table)))
            except CommitFailedException as conflict:
                if attempt == _ATTEMPTS:
                    raise TableBusy(
                        f"{table.full_name}: others committed to it all the time ({conflict}). Nothing is lost, "
                        "readers see what they saw",
                        "try again when fewer runs are under way",
                    ) from conflict
                _log.info("%s: another commit came first (%s); trying again", table.full_name, conflict)
                time.sleep(random.uniform(0, min(2.0, 0.05 * 2**attempt)))
            else:
                return

    def files(self, table: Table, snapshot_id: int | None = None) -> list[str]:
        """URIs of the files that readers see now, or saw in a snapshot; none if the table does not exist."""
        found = self.find(table)
        with reading(table):
            scan = found.scan(snapshot_id=snapshot_id) if found else None
            return sorted(task.file.file_path for task in scan.plan_files()) if scan else []

    def files_by_month(self, table: Table, snapshot_id: int) -> list[tuple[str, str]]:
        """Month and URI of the files of a snapshot; the month is empty if the table is not partitioned by it."""
        found = self.find(table)
        by_month = table.partition_by[:1] == ("month",)
        with reading(table):
            tasks = found.scan(snapshot_id=snapshot_id).plan_files() if found else []
            return [(str(task.file.partition[0]) if by_month else "", task.file.file_path) for task in tasks]

    def columns_of(self, table: Table, snapshot_id: int) -> frozenset[str]:
        """The columns that a table had when a snapshot was committed; its contract may have gained some since."""
        found = self.find(table)
        with reading(table):
            snapshot = found.snapshot_by_id(snapshot_id) if found else None
            schemas = found.schemas() if found else {}
            schema = schemas.get(snapshot.schema_id or 0) if snapshot else None
        return frozenset(schema.column_names if schema else table.column_names)

    def metadata_locations(self, tables: Iterable[Table]) -> list[str]:
        """Where the newest metadata of each table lies that there is; equal until one of them is committed to.

        In Glue's catalog that is a call a table, and no file is read.
        """
        return [location for table in tables if (location := self._metadata_location(table)) is not None]

    def _metadata_location(self, table: Table) -> str | None:
        glue = getattr(self._catalog, "glue", None)
        if glue is None:
            found = self.find(table)
            return found.metadata_location if found else None
        database, name = self._identifier(table)
        with _translated(table, "read"):
            try:
                known = glue.get_table(DatabaseName=database, Name=name)["Table"]
            except glue.exceptions.EntityNotFoundException:
                return None
        return str(known["Parameters"]["metadata_location"])

    def rows(self, table: Table, condition: str, columns: Sequence[str] = ("*",)) -> list[dict[str, Any]]:
        """The rows that readers see now and for which Iceberg's ``condition`` holds; none if there is no table."""
        found = self.find(table)
        with reading(table):
            return found.scan(condition, tuple(columns)).to_arrow().to_pylist() if found else []
