"""A month through the whole graph on the emulated AWS: what it leaves in S3, the Data Catalog and Dagster.

Belongs here: what one good run shows. Does not: what changes the lake or goes wrong (``test_aws_catalog``,
``test_aws_failures``, ``test_aws_lost_worker``), or who called what (``test_aws_api_calls``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import dagster as dg
import pytest

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES, TABLES, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.asset_keys import RAW_TRIPS, REPORT, STAGING_TRIPS, asset_key
from taxi_assets.aws.raw_table import expected_columns
from taxi_assets.lake.catalog import partition_spec
from taxi_assets.lake.catalog_check import check_catalog
from taxi_assets.lake.lake import Lake
from taxi_assets.metrics.names import METRICS, NAMESPACE
from taxi_assets.operations.health.examine import examine
from taxi_assets.operations.health.finding import Level
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.presentation.wording import month_name
from taxi_assets.sensors.heartbeat import last_heartbeat
from taxi_assets.warehouse.engine import ask
from taxi_assets.warehouse.memory import MemoryEngine
from taxi_assets.warehouse.question import Question
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.emulators.aws import JOBS, AwsEmulator
from taxi_assets_tests.support import heartbeat
from taxi_assets_tests.support.aws_lake import BUCKET, AwsLake, deployed_lake
from taxi_assets_tests.support.comparing import different_rows

pytestmark = pytest.mark.emulator

Published = tuple[AwsLake, MonthResult]


@pytest.fixture(scope="module")
def published(aws: AwsEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """The month, published once on AWS. Not to be changed."""
    with deployed_lake(aws, tmp_path_factory.mktemp("aws")) as lake:
        yield lake, lake.published()


def test_the_month_on_aws_is_the_month_on_a_laptop_row_for_row(
    published: Published, run: Callable[..., MonthResult], tmp_path: Path
) -> None:
    lake, on_aws = published
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME")
        on_laptop = run(tmp_path / "lake", lake.site.address)
    assert on_laptop.succeeded, on_laptop.error
    assert on_aws.checks == on_laptop.checks
    assert len(on_aws.estimated_cost_usd) == 3  # a Glue run for each layer
    assert on_laptop.estimated_cost_usd == {}
    assert on_aws.quarantine_reasons == on_laptop.quarantine_reasons
    for name, there in lake.live().items():
        here = Lake.in_folder(tmp_path / "lake").publisher.live(MONTHLY_TABLES[name], MONTH)
        assert there is not None
        assert here is not None
        assert (there.rows, there.lineage["contract_version"]) == (here.rows, here.lineage["contract_version"])
        assert different_rows(there.path, here.path) == 0


def test_each_materialization_shows_its_glue_run_its_cost_and_its_place_in_the_catalog(published: Published) -> None:
    lake, _ = published
    keys = {
        "taxi-ingest-raw": [RAW_TRIPS],
        "taxi-stage-trips": [STAGING_TRIPS],
        "taxi-build-curated": [asset_key(table) for table in CURATED_TABLES.values()],
    }
    with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
        for job, assets in keys.items():
            for key in assets:
                event = instance.get_latest_materialization_event(key)
                assert event is not None
                assert event.asset_materialization is not None
                shown: dict[str, Any] = {
                    name: value.value for name, value in event.asset_materialization.metadata.items()
                }
                assert shown["glue_run_id"] in [run.id for run in lake.aws.runs(job)]
                assert shown["estimated_cost_usd"] > 0
                assert shown["dpu_seconds"] >= 120
                assert {"seconds_queued", "seconds_running", "worker_type", "workers", "logs", "glue_run"} <= set(shown)
                if key != RAW_TRIPS:
                    database = f"taxi_{key.path[0]}"
                    assert shown["dagster/table_name"] == f"{database}.{key.path[1]}"
                    assert f"tables/view/{key.path[1]}?database={database}" in str(shown["catalog"])
                    assert re.fullmatch("[0-9a-f]{16}", str(shown["code_version"]))


def test_the_report_is_opened_by_a_signed_link_without_credentials(published: Published) -> None:
    with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
        event = instance.get_latest_materialization_event(REPORT)
    assert event is not None
    assert event.asset_materialization is not None
    told: dict[str, Any] = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert told["dagster/uri"].startswith(f"{published[0].open().paths.root}/reports/month={MONTH}/")
    assert told["report"].startswith(f"http://127.0.0.1:8501/reports/{MONTH}/")
    assert "X-Amz-Signature=" in told["presigned_link"]
    with urlopen(told["presigned_link"], timeout=60) as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        page = answer.read()
    assert len(page) == told["bytes"]
    assert f"<title>NYC yellow taxi, {month_name(MONTH)}</title>".encode() in page


def test_glue_shows_every_table_as_its_contract_says(published: Published) -> None:
    lake, _ = published
    for table in TABLES.values():
        shown = lake.aws.client("glue").get_table(DatabaseName=f"taxi_{table.layer}", Name=table.name)["Table"]
        assert shown["Parameters"]["table_type"] == "ICEBERG"
        assert shown["Description"] == table.description
        columns = shown["StorageDescriptor"]["Columns"]
        assert [column["Name"] for column in columns] == list(table.column_names)
        for column, contract in zip(columns, table.columns, strict=True):
            assert column["Comment"] == contract.comment
            assert column["Type"] == {"timestamp_ntz": "timestamp"}.get(contract.type.value, contract.type.value)
            assert column["Parameters"]["iceberg.field.id"] == str(contract.field_id)
        assert lake.open().catalog.open(table).spec().fields == partition_spec(table).fields
    assert check_catalog(lake.open()) == []


def test_the_raw_file_is_a_plain_table_with_one_partition_a_month(published: Published) -> None:
    lake, result = published
    glue, s3 = lake.aws.client("glue"), lake.aws.client("s3")
    shown = glue.get_table(DatabaseName="taxi_raw", Name="trips")["Table"]
    assert "table_type" not in shown["Parameters"]  # no Iceberg: any reader of Hive tables reads it
    assert {c["Name"]: c["Type"] for c in (*shown["StorageDescriptor"]["Columns"], *shown["PartitionKeys"])} == (
        expected_columns()
    )
    [partition] = glue.get_partitions(DatabaseName="taxi_raw", TableName="trips")["Partitions"]
    assert partition["Values"] == MONTH.split("-")
    assert partition["Parameters"]["rows"] == str(result.source_rows)
    file = lake.open().ledger.current(MONTH, TRIPS_DATASET)
    assert file is not None
    prefix = partition["StorageDescriptor"]["Location"].removeprefix(f"s3://{BUCKET}/")
    [content] = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
    assert f"s3://{BUCKET}/{content['Key']}" == file.path
    head = s3.head_object(Bucket=BUCKET, Key=content["Key"], ChecksumMode="ENABLED")
    assert head["Metadata"]["sha256"] == file.sha256
    assert head["ChecksumSHA256"]


def test_lineage_leads_from_a_curated_table_to_the_staging_snapshot_and_the_glue_run(published: Published) -> None:
    publisher = published[0].open().publisher
    staging = publisher.live(TRIPS, MONTH)
    assert staging is not None
    assert staging.lineage["glue_run_id"].startswith("jr_")
    for table in CURATED_TABLES.values():
        curated = publisher.live(table, MONTH)
        assert curated is not None
        assert curated.lineage["staging_snapshot_id"] == str(staging.snapshot_id)
        assert curated.lineage["code_version"] == staging.lineage["code_version"]


def test_spark_of_the_jobs_writes_its_event_logs_below_the_lake(published: Published) -> None:
    arguments = published[0].aws.runs("taxi-stage-trips")[0].arguments
    assert arguments["--enable-spark-ui"] == "true"
    assert arguments["--spark-event-logs-path"] == f"s3://{BUCKET}/lake/logs/spark-events/"


def test_the_month_is_in_good_health_and_its_metrics_are_in_cloudwatch(published: Published) -> None:
    lake, result = published
    settings, now = lake.settings, datetime.now(timezone.utc)
    assert last_heartbeat(lake.open()) is None  # S3 is asked otherwise for what is not there
    assert heartbeat.tick(settings, now).startswith(f"written to {settings.lake}/health/")
    lines = examine(settings, now)
    well = {line.check for line in lines if line.level is Level.OK}
    assert well >= {"lake", "months", "catalog and files", "heartbeat", "runs", "Glue jobs", "Glue runs"}
    assert not any(line.found.startswith("cannot be told") for line in lines)
    kept = lake.aws.client("cloudwatch").list_metrics(Namespace=NAMESPACE)["Metrics"]
    names = {metric["MetricName"] for metric in kept}
    assert names == {metric.name for metric in METRICS}
    values = {dimension["Value"] for metric in kept for dimension in metric["Dimensions"]}
    assert values <= {*JOBS, "raw/trips", "raw/zones", *(name.replace(".", "/") for name in MONTHLY_TABLES)}
    with lake.open().connect() as connection:
        [(cost,)] = connection.execute(
            "SELECT sum(value) FROM quality.run_metrics WHERE metric = 'EstimatedCostUsd' AND run_id = ?",
            [result.run_id],
        ).fetchall()
    assert cost == pytest.approx(sum(result.estimated_cost_usd.values()))


def test_duckdb_answers_the_warehouses_questions_where_there_is_no_workgroup(published: Published) -> None:
    lake, _ = published
    engine = MemoryEngine(lake.open())
    before = engine.state()
    [month] = ask(engine, Question("monthly_summary"), label="test").to_pylist()
    with lake.open().connect("FROM daily_metrics") as connection:
        assert connection.execute("SELECT sum(trips) FROM daily_metrics").fetchall() == [(month["trips"],)]
    assert engine.state() == before != ""
