"""The months' reports, pages that lie beside the tables.

Belongs here: finding and reading one. Does not: what is on it (``presentation.report``).
"""

from __future__ import annotations

import re

from pyarrow import fs

from glue_jobs.errors import Cause, PipelineError
from glue_jobs.files import open_file_system
from taxi_assets.lake.paths import VERSION, LakePaths
from taxi_assets.lake.texts import read_text

_END = b"</html>"
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


class NoReport(PipelineError):
    """There is no such report."""

    cause = Cause.ORDER


def find_report(paths: LakePaths, month: str, version: str | None = None) -> str:
    """Where a month's report lies: the newest, or the one of a version. NoReport if there is none, or no such name."""
    if not _MONTH.fullmatch(month) or (version is not None and not VERSION.fullmatch(version)):
        raise NoReport(f"{month}{f'/{version}' if version else ''} names no report", "write a month as 2024-02")
    system, folder = open_file_system(paths.reports(month))
    found = system.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    versions = sorted(one.base_name.removesuffix(".html") for one in found if one.base_name.endswith(".html"))
    known = [one for one in versions if version in (None, one) and VERSION.fullmatch(one)]
    if not known:
        wanted = f"{month} has no report{f' of version {version}' if version else ''}"
        raise NoReport(wanted, "materialize dashboard/report of the month, or run the month")
    return paths.report(month, known[-1])


def read_report(paths: LakePaths, month: str, version: str | None = None) -> str:
    """The page itself. NoReport as in ``find_report``."""
    path = find_report(paths, month, version)
    page = read_text(path)
    if page is None:
        raise NoReport(f"{path} is gone", "materialize dashboard/report of the month again")
    return page


def has_whole_report(paths: LakePaths, month: str) -> bool:
    """Whether the newest report of a month is there to its end."""
    try:
        path = find_report(paths, month)
    except NoReport:
        return False
    system, file = open_file_system(path)
    with system.open_input_file(file) as page:
        page.seek(max(0, page.size() - len(_END) - 2))
        return bytes(page.read()).rstrip().endswith(_END)
