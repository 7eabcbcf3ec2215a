from __future__ import annotations

from collections.abc import Sequence

import pytest
from pyiceberg.table import Table as IcebergTable

from glue_jobs.files import parquet_files
from taxi_assets.lake import publishing
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import FilesChanged, NoSuchVersion, PublishConflict
from taxi_assets_tests.support.tiny_table import TINY, days_of, publish, write


def test_a_published_month_is_what_readers_see(lake: Lake) -> None:
    publication = publish(lake, "2024-02", "v1", 3)
    assert (publication.version, publication.rows, publication.lineage) == ("v1", 3, {"run_id": "run of v1"})
    assert lake.publisher.live(TINY, "2024-02") == publication
    assert days_of(lake, "2024-02") == 3


def test_a_second_version_replaces_the_first_and_leaves_other_months_alone(lake: Lake) -> None:
    publish(lake, "2024-01", "v1", 7)
    publish(lake, "2024-02", "v1", 3)
    publish(lake, "2024-02", "v2", 4)
    assert (days_of(lake, "2024-01"), days_of(lake, "2024-02")) == (7, 4)
    assert [entry.version for entry in lake.publisher.history(TINY, "2024-02")] == ["v2", "v1"]
    assert len(parquet_files(lake.paths.version(TINY, "2024-02", "v1"))) == 1


def test_a_version_folder_that_was_not_published_is_invisible(lake: Lake) -> None:
    publish(lake, "2024-02", "v1", 3)
    write(lake, "2024-02", "crashed", 9)
    assert days_of(lake, "2024-02") == 3


def test_a_version_without_rows_is_a_version(lake: Lake) -> None:
    publish(lake, "2024-02", "v1", 3)
    assert publish(lake, "2024-02", "empty", 0).rows == 0
    assert days_of(lake, "2024-02") == 0
    assert lake.publisher.roll_back(TINY, "2024-02").version == "v1"
    assert days_of(lake, "2024-02") == 3


def test_rolling_back_goes_to_the_version_before_the_live_one(lake: Lake) -> None:
    for version, days in (("v1", 1), ("v2", 2), ("v3", 3)):
        publish(lake, "2024-02", version, days)
    publication = lake.publisher.roll_back(TINY, "2024-02")
    assert (publication.version, publication.is_rollback, days_of(lake, "2024-02")) == ("v2", True, 2)


def test_rolling_back_twice_goes_two_versions_back(lake: Lake) -> None:
    for version, days in (("v1", 1), ("v2", 2), ("v3", 3)):
        publish(lake, "2024-02", version, days)
    lake.publisher.roll_back(TINY, "2024-02")
    assert lake.publisher.roll_back(TINY, "2024-02").version == "v1"
    with pytest.raises(NoSuchVersion, match="no version before the live one for 2024-02; live is v1, others: v3, v2"):
        lake.publisher.roll_back(TINY, "2024-02")
    assert days_of(lake, "2024-02") == 1


def test_any_version_can_be_named(lake: Lake) -> None:
    for version, days in (("v1", 1), ("v2", 2), ("v3", 3)):
        publish(lake, "2024-02", version, days)
    assert lake.publisher.roll_back(TINY, "2024-02", to="v1").version == "v1"
    assert lake.publisher.roll_back(TINY, "2024-02", to="v3").rows == 3
    assert days_of(lake, "2024-02") == 3


@pytest.mark.parametrize("to", [None, "v9", "v1"])
def test_rolling_back_to_what_is_not_there_says_what_is(lake: Lake, to: str | None) -> None:
    publish(lake, "2024-02", "v1", 1)
    with pytest.raises(NoSuchVersion, match="live is v1, others: none"):
        lake.publisher.roll_back(TINY, "2024-02", to=to)
    with pytest.raises(NoSuchVersion, match="nothing published for 2024-03"):
        lake.publisher.roll_back(TINY, "2024-03", to=to)


def test_a_run_that_began_before_another_one_published_does_not_replace_it(lake: Lake) -> None:
    before = publish(lake, "2024-02", "v1", 1)
    publish(lake, "2024-02", "newer", 5)
    write(lake, "2024-02", "slow", 2)
    with pytest.raises(PublishConflict, match="version newer of 2024-02 was published by another run"):
        lake.publisher.publish(TINY, "2024-02", "slow", {}, replacing=before)
    assert days_of(lake, "2024-02") == 5


@pytest.mark.parametrize("there", [0, 2, 4])
def test_files_that_are_not_those_that_were_checked_are_not_published(lake: Lake, there: int) -> None:
    live = publish(lake, "2024-02", "v1", 1)
    write(lake, "2024-02", "v2", there)
    with pytest.raises(FilesChanged, match=rf"version=v2 have {there} rows; when they were checked they had 3\."):
        lake.publisher.publish(TINY, "2024-02", "v2", {}, live, checked_rows=3)
    assert lake.publisher.live(TINY, "2024-02") == live


@pytest.mark.parametrize("published_before", [True, False])
@pytest.mark.parametrize("other", ["2024-02", "2024-03"])
def test_two_runs_at_once(lake: Lake, monkeypatch: pytest.MonkeyPatch, other: str, published_before: bool) -> None:
    """Another run commits between our look at the table and our commit: of our month it wins, of another both land."""
    if published_before:
        publish(lake, "2024-02", "v1", 1)
    publish(lake, "2024-01", "v1", 1)
    replace = publishing._replace
    rivals = iter(["rival"])

    def rival_first(iceberg: IcebergTable, month: str, files: Sequence[str], summary: dict[str, str]) -> None:
        for version in rivals:
            publish(lake, other, version, 5)
        replace(iceberg, month, files, summary)

    monkeypatch.setattr(publishing, "_replace", rival_first)
    if other == "2024-02":
        with pytest.raises(PublishConflict, match="version rival of 2024-02 was published by another run"):
            publish(lake, "2024-02", "mine", 2)
        assert days_of(lake, "2024-02") == 5
    else:
        assert publish(lake, "2024-02", "mine", 2).version == "mine"
        assert (days_of(lake, "2024-02"), days_of(lake, "2024-03")) == (2, 5)
    assert days_of(lake, "2024-01") == 1
