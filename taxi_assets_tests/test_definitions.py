from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from pydantic import ValidationError

import taxi_assets
from glue_jobs.contracts import MONTHLY_TABLES, Table
from taxi_assets.asset_keys import (
    CHECK_HISTORY_KEY,
    DASHBOARD,
    RAW_ZONES,
    REPORT,
    RUN_METRICS_KEY,
    SOURCE_TRIPS,
    SOURCE_ZONES,
    WAREHOUSE,
    asset_key,
)
from taxi_assets.definitions import MONTH_JOB, build_definitions
from taxi_assets.operations.dagster_instance import WORKSPACE
from taxi_assets.partitions import MONTHS
from taxi_assets.schedules.verify_published import VERIFY_JOB
from taxi_assets.settings import Profile, Settings
from taxi_assets.warehouse.view import views

ROOT = Path(taxi_assets.__file__).parent.parent
VIEWS = sorted(views())
CURATED = ["customer_behavior", "daily_metrics", "location_analytics", "performance_summary", "time_series_analysis"]
UNPARTITIONED = ("analytics", "dashboard", "operations", "reference")
"""Groups whose assets are of no month."""


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_definitions(Settings())


def test_the_asset_keys_are_the_names_of_the_tables(defs: dg.Definitions) -> None:
    keys = sorted(key.to_user_string() for key in defs.resolve_all_asset_keys())
    layers = ["quality/check_history", "quality/run_metrics", "raw/trips", "raw/zones", "source/trips", "source/zones"]
    assert keys == [
        *(f"analytics/{name}" for name in VIEWS),
        *(f"curated/{name}" for name in CURATED),
        "dashboard/pages",
        "dashboard/report",
        "operations/warehouse",
        *layers[:4],
        "reference/calendar",
        "reference/zones",
        *layers[4:],
        "staging/quarantine",
        "staging/trips",
    ]


def test_every_asset_is_grouped_described_and_of_a_kind_and_ours_are_partitioned_by_month_and_owned(
    defs: dg.Definitions,
) -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.group_name == spec.key.path[0]
        assert spec.description
        assert spec.kinds
        if spec.group_name == "source":
            continue
        of_months = spec.group_name not in UNPARTITIONED or spec.key == REPORT
        assert spec.partitions_def == (MONTHS if of_months else None)
        assert spec.owners
        assert ("dagster/column_schema" in spec.metadata) is (spec.key not in (WAREHOUSE, REPORT, DASHBOARD))


def test_every_asset_is_found_by_domain_and_layer_and_has_its_dictionary(defs: dg.Definitions) -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.tags == {"domain": "nyc-taxi", "layer": spec.key.path[0], **kinds_as_tags(spec)}
        if spec.group_name != "source" and spec.key not in (RAW_ZONES, WAREHOUSE, REPORT, DASHBOARD):
            schema = spec.metadata["dagster/column_schema"]
            told = spec.metadata["data_dictionary"].md_str
            assert [name for name in (column.name for column in schema.columns) if f"`{name}`" not in told] == []


def kinds_as_tags(spec: dg.AssetSpec) -> dict[str, str]:
    return {name: value for name, value in spec.tags.items() if name.startswith("dagster/kind/")}


@pytest.mark.parametrize("table", MONTHLY_TABLES.values(), ids=MONTHLY_TABLES.keys())
def test_every_column_has_a_lineage_whose_ends_exist(defs: dg.Definitions, table: Table) -> None:
    specs = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
    deps = specs[asset_key(table)].metadata["dagster/column_lineage"].deps_by_column
    of_the_file = {"month", "source_sha256", "extra_columns"} if table.layer == "staging" else set()
    assert deps.keys() == set(table.column_names) - of_the_file
    upstream = {dep.asset_key for dep in specs[asset_key(table)].deps}
    for dep in (dep for of_column in deps.values() for dep in of_column):
        assert dep.asset_key in upstream
        assert dep.column_name in {c.name for c in specs[dep.asset_key].metadata["dagster/column_schema"].columns}


def test_a_column_shows_its_unit_and_what_it_is_computed_from(defs: dg.Definitions) -> None:
    [daily] = [spec for spec in defs.resolve_all_asset_specs() if spec.key.path[-1] == "daily_metrics"]
    columns = {column.name: column for column in daily.metadata["dagster/column_schema"].columns}
    assert columns["gross_revenue"].tags == {"unit": "USD"}
    assert columns["gross_revenue"].description == "total_amount of trips (from `total_amount`, `is_refund`)"
    assert columns["pickup_date"].description == "Date of pick-up"  # what has the same name needs no word


def test_assets_of_a_laptop_link_to_the_code_that_makes_them(defs: dg.Definitions) -> None:
    for spec in defs.resolve_all_asset_specs():
        if spec.key.path[0] not in ("source", "quality") and spec.key != DASHBOARD:
            links = [Path(link.file_path) for link in spec.metadata["dagster/code_references"].code_references]
            assert links[0].parent.name == "assets"
            assert links[-1].parent.name != "assets"
            assert all(path.is_file() for path in links)
    on_aws = build_definitions(Settings(profile=Profile.AWS, lake="s3://bucket"))
    assert not any("dagster/code_references" in spec.metadata for spec in on_aws.resolve_all_asset_specs())


def test_data_flows_one_way(defs: dg.Definitions) -> None:
    order = ("source", "raw", "staging", "curated", "reference", "quality", "operations", "analytics", "dashboard")
    layer = {name: at for at, name in enumerate(order)}
    for spec in defs.resolve_all_asset_specs():
        for dep in spec.deps:
            assert layer[dep.asset_key.path[0]] < layer[spec.key.path[0]]


def test_the_job_runs_every_asset(defs: dg.Definitions) -> None:
    job = defs.resolve_job_def(MONTH_JOB)
    others = {SOURCE_TRIPS, SOURCE_ZONES, CHECK_HISTORY_KEY, RUN_METRICS_KEY}  # the TLC's, and what runs append to
    others |= {
        key for key in defs.resolve_all_asset_keys() if key.path[0] in ("analytics", "dashboard", "operations")
    }  # new rows need no new view
    assert set(job.asset_layer.executable_asset_keys) == {*defs.resolve_all_asset_keys(), REPORT} - (others - {REPORT})


def test_every_published_table_has_blocking_checks(defs: dg.Definitions) -> None:
    blocking = {
        key.asset_key.to_user_string()
        for key in defs.resolve_asset_graph().asset_check_keys
        if defs.resolve_asset_graph().get_check_spec(key).blocking
    }
    assert blocking >= {f"curated/{name}" for name in CURATED} | {"raw/trips", "staging/trips", "staging/quarantine"}


def test_the_workspace_beside_the_readme_is_that_of_the_package() -> None:
    assert (ROOT / "workspace.yaml").read_text() == WORKSPACE.read_text()


@pytest.mark.parametrize(
    "command",
    [
        ["dagster", "definitions", "validate"],
        ["dagster", "definitions", "validate", "-w", str(WORKSPACE)],
        ["dg", "check", "defs"],
    ],
    ids=["dagster definitions validate", "with workspace.yaml", "dg check defs"],
)
def test_definitions_load_with_no_setting_at_all(command: list[str]) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "AWS_", "DAGSTER"))
    }
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([program, *command[1:]], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


SETTINGS: list[tuple[str, str, str, str]] = [
    ("an engine that there is not", "TAXI_ENGINE", "flink", "'flink' is none of sail, spark"),
    ("an engine without a host", "TAXI_ENGINE", "sc://", "'sc://' is none of sail, spark, sc://host:port"),
    ("an empty source", "TAXI_SOURCE", " ", "TAXI_SOURCE is empty"),
    ("a source with a broken address", "TAXI_SOURCE", "https://[::1", "its host or port cannot be read"),
    ("a lake that is a file", "TAXI_LAKE", __file__, "is a file"),
    ("a lake below a file", "TAXI_LAKE", f"{__file__}/lake", "is a file"),
    ("an empty lake", "TAXI_LAKE", "", "TAXI_LAKE is empty: give a folder"),
    ("a lake whose name is too long", "TAXI_LAKE", "a" * 3_000, "is no folder (File name too long)"),
    ("a lake with a pattern in its name", "TAXI_LAKE", "/lakes/*", "has * in it, which engines take for a pattern"),
    ("two lines", "TAXI_LAKE", "/lakes/a\nb", "TAXI_LAKE has a control character in it"),
    ("an order to the terminal", "TAXI_OIDC_CLIENT_ID", "\x1b[2J", "TAXI_OIDC_CLIENT_ID has a control character in it"),
    ("bytes that are no UTF-8", "TAXI_LAKE", "/lakes/\udcff", "TAXI_LAKE has a control character in it"),
    ("a megabyte", "TAXI_OIDC_CLIENT_ID", "x" * 100_000, "has more than 4,000 characters in it"),
    ("a link that is none", "TAXI_UI_URL", "dagster:3000", "TAXI_UI_URL does not begin with https:// or http://"),
    ("a link that runs code", "TAXI_DASHBOARD_URL", "javascript:alert(1)", "TAXI_DASHBOARD_URL does not begin with"),
    ("a link that ends another", "TAXI_UI_URL", "https://a.b/)[x](https://c.d", "has a character that no address has"),
    ("a link without a host", "TAXI_UI_URL", "http://", "TAXI_UI_URL names no host"),
    ("a monitor that is a file", "TAXI_HEARTBEAT_URL", "file:///etc/passwd", "TAXI_HEARTBEAT_URL does not begin with"),
    ("a webhook without TLS", "TAXI_SLACK_WEBHOOK_URL", "http://a.b/c", "TAXI_SLACK_WEBHOOK_URL does not begin with"),
    ("a login without its other settings", "TAXI_OIDC_METADATA_URL", "https://a.b", "without TAXI_OIDC_CLIENT_ID"),
    ("a cookie's secret alone", "TAXI_OIDC_COOKIE_SECRET", "short", "without TAXI_OIDC_METADATA_URL"),
    ("a Python that is none", "TAXI_JOBS_PYTHON", __file__, "is no executable file"),
    ("a Python whose name is too long", "TAXI_JOBS_PYTHON", "a" * 3_000, "is no file"),
    (
        "a workgroup and a lake in a folder",
        "TAXI_REDSHIFT_WORKGROUP",
        "analytics",
        "Redshift reads no lake in a folder",
    ),
    ("a month in words", "TAXI_FROM", "february", "'february' is not a month; write it as YYYY-MM"),
    ("a month in another script", "TAXI_FROM", "20\uff12\uff14-02", "is not a month; write it as YYYY-MM"),
    ("a month before the zones", "TAXI_FROM", "2010-12", "2010-12 is before 2011-01, the first month whose file has"),
    ("a month to come", "TAXI_FROM", "2099-01", "2099-01 has not ended yet"),
    ("a month 13", "TAXI_WATCH_FROM", "2024-13", "TAXI_WATCH_FROM: String should match pattern"),
    ("neither yes nor no", "TAXI_WATCH", "maybe", "TAXI_WATCH: Input should be a valid boolean"),
    ("no minutes", "TAXI_WATCH_MINUTES", "0", "TAXI_WATCH_MINUTES: Input should be greater than or equal to 1"),
    ("more minutes than a week has", "TAXI_WATCH_MINUTES", "9" * 20, "TAXI_WATCH_MINUTES: Input should be less than"),
    ("endless seconds", "TAXI_GLUE_POLL_SECONDS", "inf", "TAXI_GLUE_POLL_SECONDS: Input should be less than"),
    ("a price that is no number", "TAXI_GLUE_USD_PER_DPU_HOUR", "nan", "TAXI_GLUE_USD_PER_DPU_HOUR: Input should be"),
    ("a region in another script", "TAXI_REGION", "us-east-\u0661", "TAXI_REGION: String should match pattern"),
    ("a profile that there is not", "TAXI_PROFILE", "prod", "TAXI_PROFILE: Input should be 'local' or 'aws'"),
]


@pytest.mark.bad_input("Settings")
@pytest.mark.parametrize(("name", "value", "said"), [one[1:] for one in SETTINGS], ids=[one[0] for one in SETTINGS])
def test_a_wrong_setting_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    (fault,) = refused.value.errors()
    assert said in fault["msg"]
    assert name in fault["msg"]
    assert fault["msg"].isprintable()
    assert len(fault["msg"]) < 5_000


def test_a_cookie_that_can_be_forged_is_refused_without_showing_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("METADATA_URL", "https://id.example.org"), ("CLIENT_ID", "taxi"), ("CLIENT_SECRET", "a")):
        monkeypatch.setenv(f"TAXI_OIDC_{name}", value)
    monkeypatch.setenv("TAXI_OIDC_COOKIE_SECRET", "pa55word")
    with pytest.raises(ValueError, match="TAXI_OIDC_COOKIE_SECRET has fewer than 32 characters") as refused:
        Settings()
    assert "pa55word" not in str(refused.value)
    monkeypatch.setenv("TAXI_OIDC_COOKIE_SECRET", "pa55word" * 4)
    assert Settings().dashboard_has_login


def test_the_pages_begin_with_the_month_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_FROM", "2023-05")
    definitions = build_definitions(Settings())
    graph = definitions.resolve_asset_graph()
    found = [
        *(spec.partitions_def for spec in definitions.resolve_all_asset_specs()),
        *(graph.get_check_spec(key).partitions_def for key in graph.asset_check_keys),
        *(definitions.resolve_job_def(name).partitions_def for name in (MONTH_JOB, VERIFY_JOB)),
    ]
    assert {months.get_first_partition_key() for months in found if months is not None} == {"2023-05"}
    assert build_definitions(Settings(first_month="2011-01")).resolve_job_def(MONTH_JOB).partitions_def == MONTHS


def test_a_run_on_a_laptop_imports_nothing_of_dagster_aws() -> None:
    script = "import sys, taxi_assets.operations.run_month; sys.exit('dagster_aws' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


def test_jobs_import_no_orchestrator() -> None:
    script = (
        "import sys, glue_jobs.ingest_raw, glue_jobs.stage_trips, glue_jobs.replay_quarantine, glue_jobs.build_curated;"
        "sys.exit(any(name in sys.modules for name in ('dagster', 'pyiceberg', 'duckdb', 'taxi_assets')))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0
