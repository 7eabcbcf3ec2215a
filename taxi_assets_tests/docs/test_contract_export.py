from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

import taxi_assets
from glue_jobs.contracts import CHECK_HISTORY, CURATED_TABLES, QUARANTINE, TABLES, TRIPS, Table, tlc
from glue_jobs.contracts.model import Column, Type
from glue_jobs.contracts.rules import RULES
from taxi_assets.docs import contract_export as odcs

REPOSITORY = Path(taxi_assets.__file__).parent.parent
COMMITTED = REPOSITORY / "docs/contracts"
EACH_TABLE = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
FLOWS = Table(
    layer="curated",
    name="flows",
    description="One row a day and zone.",
    columns=(
        Column(1, "month", Type.STRING, "Month", nullable=False, sources=("month",)),
        Column(2, "zone", Type.STRING, "Zone of pick-up", nullable=False, sources=("pickup_zone",)),
        Column(3, "trips", Type.BIGINT, "Trips", unit="rows", nullable=False, sources=("is_refund",)),
        Column(4, "speed", Type.DOUBLE, "Mean speed", unit="mph", sources=("average_speed_mph",)),
    ),
    partition_by=("month",),
    grain=("month", "zone"),
    version=3,
)


def changed(former: str, **values: Any) -> Table:
    """FLOWS with other values for the column that is called ``former`` there."""
    return with_columns(*(replace(column, **values) if column.name == former else column for column in FLOWS.columns))


def with_columns(*columns: Column) -> Table:
    return replace(FLOWS, columns=columns)


def broken_by(table: Table) -> list[str]:
    return odcs.breaking_changes(odcs.contract(FLOWS), odcs.contract(table))


def document(table: Table) -> dict[str, Any]:
    """What stands in the table's file."""
    return OpenDataContractStandard.from_string(odcs.render(table)).model_dump(by_alias=True, exclude_none=True)


def standard() -> Draft201909Validator:
    schema = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text())
    return Draft201909Validator(schema)


@EACH_TABLE
def test_a_contract_is_one_of_the_standard(table: Table) -> None:
    faults = [fault.message for fault in standard().iter_errors(document(table))]
    assert faults == []


def test_the_standard_would_find_a_fault() -> None:
    faulty = document(TRIPS)
    faulty["schema"][0]["properties"][0]["logicalType"] = "text"
    assert not standard().is_valid(faulty)


@EACH_TABLE
def test_the_committed_file_is_that_of_the_contract(table: Table) -> None:
    assert (COMMITTED / odcs.file_name(table)).read_text(encoding="utf-8") == odcs.render(table), "run: make docs"


@EACH_TABLE
def test_the_contract_breaks_no_reader_of_the_committed_file(table: Table) -> None:
    committed = odcs.read(COMMITTED / odcs.file_name(table))
    assert odcs.breaking_changes(committed, odcs.contract(table)) == []


@EACH_TABLE
def test_a_contract_read_back_is_the_same(table: Table, tmp_path: Path) -> None:
    odcs.write(tmp_path, [table])
    assert odcs.read(tmp_path / odcs.file_name(table)) == odcs.contract(table)


def test_a_column_is_described_in_full() -> None:
    zone, trips = document(FLOWS)["schema"][0]["properties"][1:3]
    assert zone == {
        "name": "zone",
        "logicalType": "string",
        "physicalType": "string",
        "description": "Zone of pick-up",
        "required": True,
        "primaryKey": True,
        "primaryKeyPosition": 2,
        "transformSourceObjects": ["staging.trips.pickup_zone"],
        "customProperties": [{"property": "icebergFieldId", "value": 2}],
    }
    assert trips["customProperties"][1] == {"property": "unit", "value": "rows"}


def test_every_rule_stands_once_in_the_contract_of_the_table_that_names_it() -> None:
    rules = {
        table.full_name: [rule["name"] for rule in document(table)["schema"][0].get("quality", [])]
        for table in TABLES.values()
    }
    assert sorted(rules[TRIPS.full_name] + rules[QUARANTINE.full_name]) == sorted(rule.rule_id for rule in RULES)
    assert {name for name, ids in rules.items() if ids} == {TRIPS.full_name, QUARANTINE.full_name}


def test_only_times_that_come_from_the_tlc_are_those_of_new_york() -> None:
    zones = {
        table.full_name: {
            column.logicalTypeOptions["defaultTimezone"]
            for schema in odcs.contract(table).schema_ or []
            for column in schema.properties or []
            if column.logicalTypeOptions
        }
        for table in (TRIPS, QUARANTINE, CHECK_HISTORY)
    }
    assert zones == {
        TRIPS.full_name: {"America/New_York"},
        QUARANTINE.full_name: {"America/New_York"},
        CHECK_HISTORY.full_name: {"Etc/UTC"},
    }


def test_a_removed_column_is_a_breaking_change() -> None:
    assert broken_by(with_columns(*FLOWS.columns[:3])) == ["column speed is gone"]


def test_a_renamed_column_is_a_breaking_change() -> None:
    assert broken_by(changed("speed", name="mph")) == ["column speed is called mph now"]


def test_a_renamed_column_is_compared_as_well() -> None:
    assert broken_by(changed("speed", name="mph", type=Type.STRING)) == [
        "column speed is called mph now",
        "column speed was double and is string now",
    ]


def test_two_columns_that_change_names_are_a_breaking_change() -> None:
    month, zone, trips, speed = FLOWS.columns
    assert broken_by(with_columns(month, zone, replace(trips, field_id=4), replace(speed, field_id=3))) == [
        "column trips had Iceberg field id 3 and has 4 now",
        "column speed had Iceberg field id 4 and has 3 now",
    ]


def test_another_type_is_a_breaking_change() -> None:
    assert broken_by(changed("trips", type=Type.INT)) == ["column trips was bigint and is int now"]


def test_another_field_id_is_a_breaking_change() -> None:
    assert broken_by(changed("speed", field_id=9)) == ["column speed had Iceberg field id 4 and has 9 now"]


def test_a_column_that_may_be_null_now_is_a_breaking_change() -> None:
    assert broken_by(changed("trips", nullable=True)) == ["column trips was never null and can be now"]


def test_another_unit_is_a_breaking_change() -> None:
    assert broken_by(changed("speed", unit="km/h")) == ["column speed was in mph and is in km/h now"]


def test_another_grain_is_a_breaking_change() -> None:
    assert broken_by(replace(FLOWS, grain=("month",))) == [
        "a row was identified by month, zone and is by month now",
    ]


def test_another_partitioning_is_a_breaking_change() -> None:
    assert broken_by(replace(FLOWS, partition_by=("zone", "month"))) == [
        "the table was partitioned by month and is by zone, month now",
    ]


def test_another_order_of_partitions_is_a_breaking_change() -> None:
    old, new = (odcs.contract(replace(FLOWS, partition_by=keys)) for keys in (("month", "zone"), ("zone", "month")))
    assert odcs.breaking_changes(old, new) == [
        "the table was partitioned by month, zone and is by zone, month now",
    ]


def test_a_table_that_moved_is_a_breaking_change() -> None:
    assert broken_by(replace(FLOWS, layer="staging")) == ["the table curated.flows is called staging.flows now"]


def test_a_table_that_is_gone_is_a_breaking_change() -> None:
    assert broken_by(replace(FLOWS, name="rivers")) == ["table flows is gone"]


@pytest.mark.parametrize(
    "table",
    [
        with_columns(*FLOWS.columns, Column(5, "refunds", Type.BIGINT, "Refund rows", unit="rows", nullable=False)),
        with_columns(*FLOWS.columns[::-1]),
        changed("speed", description="Miles by hours"),
        changed("speed", nullable=False),
        changed("zone", unit="name"),
        changed("zone", sources=("pickup_borough", "pickup_zone")),
        replace(FLOWS, grain=("zone", "month")),
        replace(FLOWS, description="Zones by day."),
        replace(FLOWS, version=4),
    ],
    ids=[
        "added",
        "reordered",
        "described",
        "never null now",
        "unit named",
        "other sources",
        "grain reordered",
        "table described",
        "version",
    ],
)
def test_what_a_reader_does_not_notice_is_no_breaking_change(table: Table) -> None:
    assert broken_by(table) == []


def test_a_breaking_change_of_a_version_is_refused_and_nothing_written(tmp_path: Path) -> None:
    other = replace(FLOWS, name="rivers")
    odcs.write(tmp_path, [FLOWS, other])
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}

    refusals = odcs.write(tmp_path, [changed("speed", name="mph"), replace(other, description="Harmless.")])

    assert refusals == [
        (
            "curated.flows: column speed is called mph now. This breaks version 3: raise `version` of curated.flows in "
            "glue_jobs/contracts."
        )
    ]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_a_breaking_change_with_another_version_is_written_beside_the_old_one(tmp_path: Path) -> None:
    odcs.write(tmp_path, [FLOWS])
    old = (tmp_path / odcs.file_name(FLOWS)).read_text()
    raised = replace(changed("speed", name="mph"), version=4)

    assert odcs.write(tmp_path, [raised]) == []

    assert (tmp_path / "curated.flows.v3.odcs.yaml").read_text() == old
    assert (tmp_path / "curated.flows.v4.odcs.yaml").read_text() == odcs.render(raised)


def test_a_harmless_change_is_written_over_the_version(tmp_path: Path) -> None:
    odcs.write(tmp_path, [FLOWS])
    described = replace(FLOWS, description="Zones by day.")

    assert odcs.write(tmp_path, [described]) == []

    assert [path.name for path in tmp_path.iterdir()] == ["curated.flows.v3.odcs.yaml"]
    assert odcs.read(tmp_path / odcs.file_name(FLOWS)) == odcs.contract(described)


def test_the_command_writes_every_table_and_fails_on_a_breaking_change(tmp_path: Path) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "taxi_assets.docs.contract_export", str(tmp_path)]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert run().returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {odcs.file_name(table) for table in TABLES.values()}

    file = tmp_path / odcs.file_name(TRIPS)
    file.write_text(file.read_text().replace("name: vendor_id\n", "name: vendor_number\n"))
    refused = run()

    assert refused.returncode == 1
    assert "staging.trips: column vendor_number is called vendor_id now" in refused.stderr
    assert "vendor_number" in file.read_text()


OF_THE_FILE = {"month", "source_sha256"}
"""Columns that say which file a row came in: no column of the file holds them."""


@pytest.mark.parametrize("table", [TRIPS, QUARANTINE], ids=lambda table: table.full_name)
def test_staging_columns_come_from_the_tlc(table: Table) -> None:
    zones = {f"zones.{name}" for name in tlc.ZONE_COLUMNS}
    upstream = {column.name for column in tlc.TRIP_COLUMNS} | zones | {"any other"}
    assert orphans(table, upstream, exempt=OF_THE_FILE) == []


@pytest.mark.parametrize("table", CURATED_TABLES.values(), ids=CURATED_TABLES.keys())
def test_curated_columns_come_from_staging(table: Table) -> None:
    assert orphans(table, set(TRIPS.column_names), exempt=set()) == []


def orphans(table: Table, upstream: set[str], exempt: set[str]) -> list[str]:
    """The columns without a source, or with one that is not upstream."""
    return [
        column.name
        for column in table.columns
        if column.name not in exempt and not (column.sources and set(column.sources) <= upstream)
    ]
