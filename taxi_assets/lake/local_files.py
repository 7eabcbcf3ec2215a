"""PyIceberg's files, of a lake in a folder.

Belongs here: opening, writing and deleting local files for PyIceberg. Does not: S3, where PyIceberg has its own.

PyIceberg's own two ways are for every store there is: by PyArrow it imports pandas, by fsspec an HTTP client and its
REST catalog, a tenth of the time of ``taxi-assets status``.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream


class LocalFile(InputFile, OutputFile):
    """A file by its path, or by its ``file://`` address as Spark writes it; OSError as Python raises it."""

    @property
    def _path(self) -> Path:
        return Path(self.location.removeprefix("file://"))

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self._path.exists()

    def open(self, seekable: bool = True) -> InputStream:  # noqa: ARG002 -- every local file can seek
        """To be read."""
        return cast("InputStream", self._path.open("rb"))

    def create(self, overwrite: bool = False) -> OutputStream:
        """To be written, in a folder that is made if need be; FileExistsError without ``overwrite``."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return cast("OutputStream", self._path.open("wb" if overwrite else "xb"))

    def to_input_file(self) -> InputFile:
        """The same file."""
        return self


class LocalFiles(FileIO):
    """Given to PyIceberg by its name, as ``py-io-impl``."""

    def new_input(self, location: str) -> InputFile:
        """See ``FileIO``."""
        return LocalFile(location)

    def new_output(self, location: str) -> OutputFile:
        """See ``FileIO``."""
        return LocalFile(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """See ``FileIO``."""
        Path((location if isinstance(location, str) else location.location).removeprefix("file://")).unlink()
