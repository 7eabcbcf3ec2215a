"""The lake that the tests of this folder are about: in a folder, and in S3 with the Glue Data Catalog."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from taxi_assets.lake.lake import Lake
from taxi_assets_tests.emulators.environment import REGION

BUCKET = "test-lakes"


@pytest.fixture(params=["in a folder", "in S3"])
def open_lake(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Lake]:
    """Opens the test's own, at first empty lake; each call opens it again."""
    if request.param == "in a folder":
        return lambda: Lake.in_folder(tmp_path / "a lake")  # with a space, as folders of people have
    aws = request.getfixturevalue("aws")
    aws.client("s3").create_bucket(Bucket=BUCKET)
    own = uuid.uuid4().hex[:8]
    return lambda: Lake.in_s3(f"s3://{BUCKET}/{own}", REGION, f"test_{own}_")


@pytest.fixture
def lake(open_lake: Callable[[], Lake]) -> Lake:
    """The test's own, at first empty lake."""
    return open_lake()
