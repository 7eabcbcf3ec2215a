"""The jobs' code as one archive, and its version.

Belongs here: what is in it, byte for byte the same on any machine. Does not: putting it on AWS (``aws.deploy``).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import dagster_pipes

import glue_jobs
from glue_jobs.reports import JOBS

ARCHIVE = "glue_jobs.zip"

_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip can name: all files get it, because when they were checked out is not part of the code."""


@dataclass(frozen=True)
class Code:
    """What runs on Glue: ``archive`` is the zip of the packages, ``scripts`` file name to content."""

    archive: bytes
    scripts: dict[str, bytes]

    @property
    def version(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of archive and scripts."""
        digest = sha256(self.archive)
        for name, script in sorted(self.scripts.items()):
            digest.update(name.encode() + b"\0" + script)
        return digest.hexdigest()[:16]


def build() -> Code:
    """The code of this checkout. The same files give the same bytes, on any machine and day.

    dagster_pipes is in the archive too: a job then installs nothing when it starts.
    """
    buffer = io.BytesIO()
    # Not compressed, because what a compressor makes of the same bytes depends on its version.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(_modules(Path(glue_jobs.__file__)), key=lambda entry: entry[0]):
            archive.writestr(_entry(name), content)
        for name, content in sorted(_modules(Path(dagster_pipes.__file__)), key=lambda entry: entry[0]):
            archive.writestr(_entry(name), content)
    folder = Path(glue_jobs.__file__).parent
    return Code(buffer.getvalue(), {f"{job}.py": (folder / f"{job}.py").read_bytes() for job in JOBS})


@cache
def running_version() -> str:
    """The version of the code that this process loaded: read once, because files may change later."""
    return build().version


def _modules(package: Path) -> Iterator[tuple[str, bytes]]:
    root = package.parent.parent
    for path in package.parent.rglob("*"):
        if path.is_file() and (path.suffix == ".py" or path.name == "py.typed"):
            yield path.relative_to(root).as_posix(), path.read_bytes()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _OLDEST)
    entry.external_attr = 0o644 << 16
    entry.create_system = 3  # Unix, on any machine
    return entry
