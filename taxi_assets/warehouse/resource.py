"""The warehouse as a Dagster resource.

Belongs here: which engine a profile has, as far as assets need to know. Does not: what it answers (``engine``).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager

import dagster as dg

from taxi_assets.lake.lake import Lake
from taxi_assets.warehouse.engine import Engine
from taxi_assets.warehouse.memory import MemoryEngine


class Warehouse(dg.ConfigurableResource["Warehouse"], ABC):
    """Opens an engine over a lake; nothing is loaded or connected before the first question."""

    @abstractmethod
    def engine(self, lake: Lake) -> Engine:
        """A new engine."""

    @contextmanager
    def open(self, lake: Lake) -> Iterator[Engine]:
        """An engine that is closed with the block."""
        with closing(self.engine(lake)) as engine:
            yield engine


class MemoryWarehouse(Warehouse):
    """DuckDB in memory."""

    def engine(self, lake: Lake) -> Engine:
        """See ``Warehouse``."""
        return MemoryEngine(lake)
