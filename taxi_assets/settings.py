"""The one validated place for environment settings (``TAXI_*``).

Belongs here: what may be set and what it may be set to. Does not: reading any other environment variable.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

TLC_SITE = "https://d37ci6vzurychx.cloudfront.net"
"""Where the TLC publishes its trip records."""

SAIL, SPARK = "sail", "spark"


class Settings(BaseSettings):
    """Settings of one process. ``TAXI_LAKE``, ``TAXI_SOURCE`` and ``TAXI_ENGINE`` set them from outside.

    ``lake``: folder of the lake. ``source``: https:// address or folder in the TLC's layout, or
    ``synthetic:rows=50000,seed=1``. ``engine``: ``sail``, ``spark`` (JVM) or a Spark Connect address
    ``sc://host:port``. A pydantic ValidationError names the variable that is wrong.
    """

    model_config = SettingsConfigDict(env_prefix="TAXI_", frozen=True)

    lake: Path = Path("lake")
    source: str = TLC_SITE
    engine: str = SAIL

    @field_validator("lake")
    @classmethod
    def _absolute(cls, lake: Path) -> Path:
        resolved = lake.expanduser().resolve()
        if resolved.exists() and not resolved.is_dir():
            raise ValueError(f"TAXI_LAKE: {resolved} is a file; give a folder, it is made if it does not exist")
        if wild := sorted(set("*?[]{}") & set(str(resolved))):
            raise ValueError(f"TAXI_LAKE: {resolved} has {' '.join(wild)} in it, which engines take for a pattern")
        return resolved

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, engine: str) -> str:
        if engine not in (SAIL, SPARK) and not engine.startswith("sc://"):
            raise ValueError(f"TAXI_ENGINE: {engine!r} is none of {SAIL}, {SPARK}, sc://host:port")
        return engine

    @field_validator("source")
    @classmethod
    def _some_source(cls, source: str) -> str:
        if not source.strip():
            raise ValueError("TAXI_SOURCE is empty: give a https:// address, a folder, or synthetic")
        return source
