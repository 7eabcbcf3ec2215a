"""What can come to differ between contracts, Glue Data Catalog and S3: it is named, and put right.

Belongs here: differences that a test makes in a published lake, and takes back. Does not: what a good run leaves
(``test_aws_month``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from glue_jobs.contracts import CURATED_TABLES, FILES, MONTHLY_TABLES, QUARANTINE, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.aws.raw_table import expected_columns
from taxi_assets.lake.catalog_check import bring_up_to_date, check_catalog
from taxi_assets.lake.files import below
from taxi_assets.operations.rebuild import Plan, carry_out, plan
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.emulators.aws import AwsEmulator
from taxi_assets_tests.support.aws_lake import BUCKET, AwsLake, deployed_lake

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="module")
def lake(aws: AwsEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsLake]:
    """A lake in which the month is published."""
    with deployed_lake(aws, tmp_path_factory.mktemp("aws")) as lake:
        lake.published()
        yield lake


def landed_files(lake: AwsLake) -> int:
    entered = lake.open().catalog.open(FILES).scan(row_filter=f"dataset == '{TRIPS_DATASET}'")
    return int(entered.to_arrow().num_rows)


def test_what_differs_in_the_catalog_is_named_and_repaired(lake: AwsLake) -> None:
    opened, glue = lake.open(), lake.aws.client("glue")
    shown = glue.get_table(DatabaseName="taxi_curated", Name="daily_metrics")["Table"]
    taken = {name: shown[name] for name in ("Name", "TableType", "Parameters", "StorageDescriptor", "Description")}
    taken["StorageDescriptor"]["Columns"][2]["Comment"] = "tampered"
    glue.update_table(DatabaseName="taxi_curated", TableInput=taken)
    glue.delete_partition(DatabaseName="taxi_raw", TableName="trips", PartitionValues=MONTH.split("-"))
    column = CURATED_TABLES["daily_metrics"].columns[2].name
    faults = check_catalog(opened)
    assert {fault.table for fault in faults} == {"curated.daily_metrics", "raw.trips"}
    assert any(f"Glue shows {column} as" in fault.problem and "tampered" in fault.problem for fault in faults)
    assert {fault.repair for fault in faults} == {"taxi-assets catalog update"}
    assert bring_up_to_date(opened) == []
    assert check_catalog(opened) == []


def test_a_file_of_other_types_than_todays_is_not_in_the_plain_table(lake: AwsLake) -> None:
    opened, glue = lake.open(), lake.aws.client("glue")
    file = opened.ledger.current(MONTH, TRIPS_DATASET)
    assert file is not None
    assert opened.raw_trips is not None
    earlier = replace(file, physical_schema=json.dumps({**json.loads(file.physical_schema), "VendorID": "int64"}))
    assert not opened.raw_trips.put(earlier)  # readers would refuse the whole table
    assert opened.raw_trips.locations() == {}
    shown = glue.get_table(DatabaseName="taxi_raw", Name="trips")["Table"]
    fewer = {name: shown[name] for name in ("Name", "TableType", "PartitionKeys", "StorageDescriptor", "Parameters")}
    fewer["StorageDescriptor"]["Columns"].pop()
    glue.update_table(DatabaseName="taxi_raw", TableInput=fewer)
    assert [fault.problem for fault in check_catalog(opened)] == [
        "the plain table over the raw files is missing, or has other columns"
    ]
    assert bring_up_to_date(opened) == []
    assert opened.raw_trips.columns() == expected_columns()
    assert check_catalog(opened) == []


def test_a_live_file_that_is_gone_is_named(lake: AwsLake) -> None:
    opened, s3 = lake.open(), lake.aws.client("s3")
    file = opened.publisher.files(CURATED_TABLES["daily_metrics"])[0]
    key = file.removeprefix(f"s3://{BUCKET}/")
    content = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    s3.delete_object(Bucket=BUCKET, Key=key)
    try:
        [fault] = check_catalog(opened)
    finally:
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)
    assert fault.problem == f"{MONTH}: {file} is gone"
    assert fault.repair == "taxi-assets rebuild --yes"
    assert check_catalog(opened) == []


def checksums(lake: AwsLake) -> dict[str, object]:
    """Rows of each table that has months, and a sum of hashes of all their values that does not go by their order."""
    found: dict[str, object] = {}
    for name in MONTHLY_TABLES:
        with lake.open().connect(f"FROM {name}") as connection:
            found[name] = connection.execute(f"SELECT count(*), sum(hash(one)) FROM {name} AS one").fetchall()
    return found


def delete_glue_tables(lake: AwsLake) -> None:
    glue = lake.aws.client("glue")
    for database in glue.get_databases()["DatabaseList"]:
        for table in glue.get_tables(DatabaseName=database["Name"])["TableList"]:
            glue.delete_table(DatabaseName=database["Name"], Name=table["Name"])


def rebuilt(lake: AwsLake) -> Plan:
    """Rebuilt as its commands do it, with a source that has nothing; returns what was planned."""
    settings = lake.settings.model_copy(update={"source": "/no/such/source"})
    planned = plan(settings)
    for progress in carry_out(settings, planned, from_raw):
        assert progress.failed == [], progress.failed[-1].error
    return planned


def from_raw(settings: Settings, month: str, begin_with: str) -> MonthResult:
    return run_month(settings, month, None, lambda *_: None, begin_with=begin_with)


def test_the_catalog_is_made_again_of_the_metadata_in_s3_and_everything_of_raw_alone(lake: AwsLake) -> None:
    before, versions, s3 = checksums(lake), lake.versions(), lake.aws.client("s3")
    delete_glue_tables(lake)
    assert rebuilt(lake).months == ()
    assert lake.versions() == versions
    assert check_catalog(lake.open()) == []
    delete_glue_tables(lake)
    prefix = lake.settings.lake.removeprefix(f"s3://{BUCKET}/")
    for entry in below(lake.settings.lake):
        key = entry.path.removeprefix(f"s3://{BUCKET}/")
        if not key.startswith((f"{prefix}/raw/", f"{prefix}/scripts/")):
            s3.delete_object(Bucket=BUCKET, Key=key)
    assert [month.month for month in rebuilt(lake).months] == [MONTH]
    assert checksums(lake) == before
    assert check_catalog(lake.open()) == []
    assert plan(lake.settings).is_empty


def test_a_republished_month_moves_the_plain_table_to_the_new_file(lake: AwsLake) -> None:
    before, landed = lake.versions(), landed_files(lake)
    lake.put_at_source(seed=2)
    lake.published()
    assert None not in before.values()
    assert not set(before.values()) & set(lake.versions().values())
    assert landed_files(lake) == landed + 1
    opened = lake.open()
    assert check_catalog(opened) == []  # one partition, which points at the new content
    opened.publisher.roll_back(QUARANTINE, MONTH)
    assert opened.publisher.roll_back(TRIPS, MONTH).version == before["staging.trips"]
