"""Maintenance makes the tables small, and no query, history or rollback sees a difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from pyiceberg.table import Table as IcebergTable

from glue_jobs.contracts import CHECK_HISTORY, LOGS, MONTHLY_TABLES, TABLES
from glue_jobs.contracts.raw import TRIPS_DATASET
from glue_jobs.files import parquet_files
from taxi_assets.lake import maintenance, publishing
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.maintenance import compact, delete_unreferenced, expire, maintain
from taxi_assets.lake.publishing import NoSuchVersion
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.publishing_by_hand import record
from taxi_assets_tests.support.tiny_table import TINY, days_of, facts, publish, write_rows

DAILY = MONTHLY_TABLES["curated.daily_metrics"]
NO_TIME = timedelta(0)
Rows = dict[str, Counter[tuple[object, ...]]]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """In a folder; ``test_maintained_tables_answer_as_before`` is asked of S3 too."""
    return Lake.in_folder(tmp_path / "a lake")


def later(days: float = 2) -> datetime:
    return datetime.now(timezone.utc) + timedelta(days=days)


def fill(lake: Lake) -> None:
    """Two months of the logs with several files each, a third with one; two versions of two monthly tables."""
    for number, month in enumerate(("2024-01", MONTH, "2024-01", MONTH, "2024-03", MONTH)):
        record(lake, month, f"v{number}", {"trips_per_day": float(number), "pickup_zones": 200.0})
        lake.ledger.record(month, TRIPS_DATASET, facts(f"{number}"), "run")
        metric = {
            "metric": "RowsPublished",
            "asset": "staging/trips",
            "job": "",
            "value": float(number),
            "unit": "Count",
        }
        lake.metrics.record([metric], month, f"run {number}")
    for table in (DAILY, MONTHLY_TABLES["staging.quarantine"]):
        for version, rows in (("v1", 2), ("v2", 3)):
            write_rows(lake.paths.version(table, MONTH, version), table, rows)
            lake.publisher.publish(table, MONTH, version, {}, replacing=lake.publisher.live(table, MONTH))


def rows_of(lake: Lake) -> Rows:
    found = {}
    for name in TABLES:
        with lake.connect(f"FROM {name}") as connection:
            found[name] = Counter(connection.execute(f"FROM {name}").fetchall())
    return found


def test_maintained_tables_answer_as_before(open_lake: Callable[[], Lake]) -> None:
    lake = open_lake()
    fill(lake)
    rows, measures = rows_of(lake), lake.checks.measures("staging/trips", {MONTH: "v5", "2024-01": "v2"})
    ledger = lake.ledger.history(TRIPS_DATASET, ["2024-01", MONTH, "2024-03"])
    histories = {name: lake.publisher.history(table) for name, table in MONTHLY_TABLES.items()}
    assert measures["trips_per_day"] == {MONTH: 5.0, "2024-01": 2.0}
    done = {one.table: one for one in maintain(lake.catalog, later(), retention=NO_TIME)}
    assert done.keys() == {*LOGS, DAILY.full_name, "staging.quarantine"}
    for name in LOGS:
        assert (done[name].files_before, done[name].files_after) == (6, 3)
        assert done[name].snapshots_after == 1 < done[name].snapshots_before
        assert done[name].files_deleted > 6
    assert (done[DAILY.full_name].files_after, done[DAILY.full_name].files_deleted) == (1, 0)
    lake = open_lake()
    assert rows_of(lake) == rows
    assert sum(rows["quality.check_history"].values()) == 18
    assert lake.checks.measures("staging/trips", {MONTH: "v5", "2024-01": "v2"}) == measures
    assert lake.ledger.history(TRIPS_DATASET, ["2024-01", MONTH, "2024-03"]) == ledger
    assert {name: lake.publisher.history(table) for name, table in MONTHLY_TABLES.items()} == histories
    assert lake.publisher.roll_back(DAILY, MONTH).version == "v1"
    record(lake, MONTH, "v6", {"trips_per_day": 6.0, "pickup_zones": 200.0})
    assert lake.checks.measures("staging/trips", {MONTH: "v6"})["trips_per_day"] == {MONTH: 6.0}


def test_tables_that_are_small_already_are_left_as_they_are(lake: Lake) -> None:
    fill(lake)
    done = [one.table for one in maintain(lake.catalog, later())]
    before = {name: lake.catalog.open(TABLES[name]).metadata_location for name in done}
    again = list(maintain(lake.catalog, later()))
    assert {name: lake.catalog.open(TABLES[name]).metadata_location for name in done} == before
    assert all(one.files_before == one.files_after and one.files_deleted == 0 for one in again)


def test_an_empty_lake_has_nothing_to_maintain(lake: Lake) -> None:
    assert list(maintain(lake.catalog, later())) == []


def test_rows_that_are_appended_during_a_compaction_are_kept(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        record(lake, MONTH, f"v{number}", {"trips_per_day": float(number), "pickup_zones": 200.0})
    rewrite = maintenance._rewrite
    rivals = iter(["v3", "v4"])

    def rival_first(iceberg: IcebergTable, months: list[str]) -> None:
        for version in rivals:
            record(lake, MONTH, version, {"trips_per_day": 9.0, "pickup_zones": 200.0})
            break
        rewrite(iceberg, months)

    monkeypatch.setattr(maintenance, "_rewrite", rival_first)
    compact(lake.catalog, CHECK_HISTORY)
    versions = lake.catalog.open(CHECK_HISTORY).scan().to_arrow()["version"].to_pylist()
    assert Counter(versions) == {f"v{number}": 3 for number in range(5)}
    assert len(lake.catalog.files(CHECK_HISTORY)) == 1


def test_live_history_and_rollback_are_as_before_when_all_that_may_has_expired(lake: Lake) -> None:
    for month in ("2024-01", "2024-02"):
        for version, days in (("v1", 1), ("v2", 2), ("v3", 3)):
            publish(lake, month, version, days)
    history = lake.publisher.history(TINY)
    expire(lake.catalog, TINY, later())
    assert lake.publisher.history(TINY) == history
    assert len(lake.catalog.open(TINY).metadata.snapshots) == len(history)
    assert lake.publisher.roll_back(TINY, "2024-02").version == "v2"
    assert lake.publisher.roll_back(TINY, "2024-02").version == "v1"
    assert (days_of(lake, "2024-01"), days_of(lake, "2024-02")) == (3, 1)


def test_the_two_versions_before_the_live_one_stay_and_older_ones_are_refused(lake: Lake) -> None:
    for number in range(1, 6):
        publish(lake, "2024-02", f"v{number}", number)
    expire(lake.catalog, TINY, later())
    assert [entry.version for entry in lake.publisher.history(TINY)] == ["v5", "v4", "v3"]
    with pytest.raises(NoSuchVersion, match=r"version v2 of 2024-02 has expired: .*; live is v5, others: v4, v3"):
        lake.publisher.roll_back(TINY, "2024-02", to="v2")
    assert lake.publisher.roll_back(TINY, "2024-02", to="v3").rows == 3
    expire(lake.catalog, TINY, later())
    assert lake.publisher.live(TINY, "2024-02") == lake.publisher.history(TINY)[0]
    assert days_of(lake, "2024-02") == 3
    assert len(parquet_files(lake.paths.version(TINY, "2024-02", "v1"))) == 1


def test_a_month_that_was_published_before_the_properties_gets_its_own(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(publishing, "live_property", lambda *_: {})
        first = publish(lake, "2024-01", "v1", 1)
        second = publish(lake, "2024-02", "v1", 2)
    expire(lake.catalog, TINY, later())
    publish(lake, "2024-03", "v1", 3)
    lake.catalog.open(TINY).maintenance.expire_snapshots().older_than(later()).commit()  # somebody else's
    assert (lake.publisher.live(TINY, "2024-01"), lake.publisher.live(TINY, "2024-02")) == (first, second)


def test_a_version_that_was_live_within_the_retention_stays(lake: Lake) -> None:
    publish(lake, "2024-02", "v1", 1)
    before_v2 = datetime.now(timezone.utc)
    for number in range(2, 6):
        publish(lake, "2024-02", f"v{number}", number)
    expire(lake.catalog, TINY, before_v2)
    assert lake.publisher.roll_back(TINY, "2024-02", to="v1").rows == 1


def test_snapshots_that_somebody_has_tagged_stay(lake: Lake) -> None:
    for number in range(1, 6):
        publish(lake, "2024-02", f"v{number}", number)
    first = lake.publisher.history(TINY)[-1]
    lake.catalog.open(TINY).manage_snapshots().create_tag(first.snapshot_id, "before_the_check").commit()
    expire(lake.catalog, TINY, later())
    assert lake.publisher.roll_back(TINY, "2024-02", to="v1").rows == 1


def test_a_snapshot_that_somebody_else_expires_meanwhile_is_no_failure(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 6):
        publish(lake, "2024-02", f"v{number}", number)
    kept = maintenance._kept
    rivals = iter([1])

    def rival_first(iceberg: IcebergTable, since: int) -> set[int]:
        for _ in rivals:
            expire(lake.catalog, TINY, later())
        return kept(iceberg, since)

    monkeypatch.setattr(maintenance, "_kept", rival_first)
    expire(lake.catalog, TINY, later())
    assert [entry.version for entry in lake.publisher.history(TINY)] == ["v5", "v4", "v3"]


def test_files_younger_than_a_day_and_files_in_use_are_not_deleted(lake: Lake) -> None:
    for number in range(4):
        record(lake, MONTH, f"v{number}", {"trips_per_day": float(number), "pickup_zones": 200.0})
    in_use = lake.catalog.open(CHECK_HISTORY)
    compact(lake.catalog, CHECK_HISTORY)
    assert delete_unreferenced(lake.catalog, CHECK_HISTORY, later()) == 0  # the snapshots before it name them all
    assert in_use.scan().to_arrow().num_rows == 12
    expire(lake.catalog, CHECK_HISTORY, later())
    assert delete_unreferenced(lake.catalog, CHECK_HISTORY, later(0.9)) == 0
    orphan = Path(lake.paths.table(CHECK_HISTORY), "data", "month=2024-02", "of-a-commit-that-failed.parquet")
    orphan.touch()
    deleted = delete_unreferenced(lake.catalog, CHECK_HISTORY, later(1.1))
    assert deleted > 4
    assert not orphan.exists()
    assert lake.catalog.open(CHECK_HISTORY).scan().to_arrow().num_rows == 12


def test_files_of_a_table_in_versions_are_never_deleted(lake: Lake) -> None:
    for name, table in MONTHLY_TABLES.items():
        with pytest.raises(ValueError, match=f"{name} is published in versions, whose files stay"):
            delete_unreferenced(lake.catalog, table, later())
