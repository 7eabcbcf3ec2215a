"""What lies below a folder of the lake, what is in a file, and deleting some of it.

Belongs here: listing, hashing and deleting, in a folder and in S3. Does not: what may go (``maintenance``, ``vacuum``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path

from pyarrow import fs

from glue_jobs.errors import Cause, PipelineError
from glue_jobs.files import open_file_system


class NotDeleted(PipelineError):
    """The disk or AWS refused to delete a file."""

    cause = Cause.LAKE


@dataclass(frozen=True)
class Entry:
    """A file, or on a disk a folder (of 0 ``bytes``): its URI, and when it was last ``changed`` (UTC)."""

    path: str
    bytes: int
    changed: datetime
    is_folder: bool


def below(uri: str) -> Iterator[Entry]:
    """All that lies below a folder, which need not exist. In S3 files alone: folders are parts of their names there."""
    system, path = open_file_system(uri)
    scheme = uri.removesuffix(path)
    for info in system.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True)):
        if info.type == fs.FileType.File or not scheme.startswith("s3"):
            changed = datetime.fromtimestamp(info.mtime_ns / 1e9, timezone.utc)
            yield Entry(f"{scheme}{info.path}", info.size or 0, changed, info.type == fs.FileType.Directory)


def content_of(file: str) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    system, path = open_file_system(file)
    digest = sha256()
    with system.open_input_stream(path) as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def delete_on_disk(files: Sequence[str], folders: Sequence[str]) -> None:
    """Delete files, then those of the ``folders`` that are empty by now. NotDeleted if the disk refuses.

    What somebody else has deleted meanwhile is no failure.
    """
    try:
        for file in files:
            Path(file).unlink(missing_ok=True)
        for folder in sorted(folders, reverse=True):  # a folder comes after those in it
            if Path(folder).is_dir() and not any(Path(folder).iterdir()):
                with contextlib.suppress(FileNotFoundError):
                    Path(folder).rmdir()
    except OSError as error:
        raise NotDeleted(
            f"{error.filename or 'a file'} could not be deleted: {error.strerror or error}; what was deleted before it "
            "is gone, and nothing that is needed was among it",
            "see that this user may write there, then type it again",
        ) from error
