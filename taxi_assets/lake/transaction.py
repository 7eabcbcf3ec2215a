"""A commit's changes to an Iceberg table, before they are committed.

Belongs here: how PyIceberg collects them. Does not: what is changed, or committing again when others came first
(``catalog``).
"""

from __future__ import annotations

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table import Transaction as IcebergTransaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import TableUpdate


class Transaction(IcebergTransaction):
    """PyIceberg's, which works the table's metadata out once for each change and not for each look at it.

    A look copies everything, the snapshots of all months too, and the 15 commits of a run looked 347 times.
    """

    def __init__(self, table: IcebergTable) -> None:
        super().__init__(table)
        self._known: tuple[TableMetadata, tuple[TableUpdate, ...], TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        """The metadata as the changes so far make it; nobody may change the object."""
        base, updates = self._table.metadata, self._updates
        if self._known is None or self._known[0] is not base or self._known[1] is not updates:
            self._known = base, updates, super().table_metadata
        return self._known[2]
