"""The Dagster instance that knows a lake's runs: where it is, opening it, and in words why it cannot be used.

Belongs here: its folder, its database out of reach. Does not: its files (``instance/``), or what is asked of it.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster_shared.check import CheckError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from yaml import YAMLError

from glue_jobs.errors import Cause, PipelineError
from taxi_assets.operations.sqlite_storage import kept_open
from taxi_assets.settings import Profile, Settings

_LAPTOP_INSTANCE = Path(__file__).parent / "instance" / "laptop.yaml"
WORKSPACE = Path(__file__).parent / "instance" / "workspace.yaml"
"""For ``dagster dev -w``, wherever the package is installed."""
_MISSING_VARIABLE = re.compile(r'environment variable "(\w+)" which is not set')


class InstanceUnavailable(PipelineError):
    """The Dagster instance cannot be opened, or its database has gone."""

    cause = Cause.DAGSTER


class NoDagsterHome(InstanceUnavailable):
    """DAGSTER_HOME is not set, and the lake is no folder to keep it in."""


def dagster_home(settings: Settings) -> Path:
    """Folder of the Dagster instance that knows this lake's runs: ``DAGSTER_HOME``, else ``.dagster`` in the lake.

    NoDagsterHome if the lake is in S3 and the variable is not set.
    """
    named = os.environ.get("DAGSTER_HOME")
    if not named and settings.profile is Profile.AWS:
        raise NoDagsterHome("DAGSTER_HOME is not set", "name the folder of Dagster's instance (TAXI_PROFILE=aws)")
    home = Path(named) if named else Path(settings.lake) / ".dagster"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        # Whole or not at all: a full disk or a kill would leave an empty one, by which Dagster takes its own defaults.
        begun = home / f".dagster.yaml.{os.getpid()}"
        shutil.copyfile(_LAPTOP_INSTANCE, begun)
        begun.replace(config)
    return home


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance that knows this lake's runs; InstanceUnavailable if it cannot be opened or is lost."""
    home = dagster_home(settings)
    try:
        reference = InstanceRef.from_dir(str(home))
        if reference.storage_data == InstanceRef.config_defaults(str(home))["storage"]:
            reference = reference._replace(storage_data=kept_open(home))
        instance = dg.DagsterInstance.from_ref(reference)
    except (dg.DagsterError, CheckError, YAMLError, ImportError, *_of_the_database()) as error:
        raise _unavailable(error, home) from error
    with asking_dagster(home), instance:
        yield instance


@contextmanager
def asking_dagster(home: Path) -> Iterator[None]:
    """Make an InstanceUnavailable of the block's errors that say that the instance's database has gone."""
    try:
        yield
    except _of_the_database() as error:
        raise _unavailable(error, home) from error


def _of_the_database() -> tuple[type[Exception], ...]:
    """What an instance's database raises; Postgres, if one was opened, when it was asked in vain for ten seconds."""
    module = sys.modules.get("dagster_postgres.utils")
    return (SQLAlchemyError, module.DagsterPostgresException) if module else (SQLAlchemyError,)


def _unavailable(error: Exception, home: Path) -> InstanceUnavailable:
    config = home / "dagster.yaml"
    if missing := sorted(set(_MISSING_VARIABLE.findall(str(error)))):
        return InstanceUnavailable(
            f"{config} names variables that are not set: {', '.join(missing)}", "set them (docs/aws.md)"
        )
    lost = isinstance(error, _of_the_database()) and not isinstance(error, SQLAlchemyError)
    cause = error.__cause__ if lost else error
    if isinstance(cause, DBAPIError):
        # What the driver says: SQLAlchemy adds the statement and a link.
        said = " ".join(str(cause.orig).split())
        server = (
            f"it runs, and that host, port, user, password and database are those that {config} names (docs/aws.md)"
        )
        files = f"its files in {home} are whole and can be written, and that no other program holds them"
        remedy = f"see that {files if isinstance(cause.orig, sqlite3.Error) else server}"
        return InstanceUnavailable(f"Dagster's database cannot be used: {said}", remedy)
    return InstanceUnavailable(f"{config} cannot be used: {cause}", "correct it, or take this project's instead")
