"""No secret turns up where it is kept or shown: logs, metadata, events, alerts, errors, run config, files of a lake."""

from __future__ import annotations

import io
import logging
import os
import sqlite3
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from botocore.stub import Stubber
from click.testing import CliRunner
from pydantic import ValidationError
from streamlit.testing.v1 import AppTest

from glue_jobs.addresses import without_secrets
from glue_jobs.errors import SourceUnavailable
from glue_jobs.sources import open_source
from glue_jobs.sources.http import HttpSource
from taxi_assets.alerts.sensor import alerts_sensor
from taxi_assets.asset_keys import RAW_TRIPS, RAW_ZONES
from taxi_assets.aws import redshift
from taxi_assets.cli.main import main
from taxi_assets.dashboard.server import SCRIPT
from taxi_assets.definitions import build_definitions, notifier_of, slack_of
from taxi_assets.jobs.surroundings import for_jobs
from taxi_assets.lake.resource import LakeResource
from taxi_assets.operations.dagster_instance import dagster_home
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.emulators.environment import REGION
from taxi_assets_tests.security.canaries import LOGIN, MARK, files_with_secrets, found_in, secrets
from taxi_assets_tests.security.test_listening import is_heard_beyond_loopback
from taxi_assets_tests.support.dashboard_server import running_dashboard
from taxi_assets_tests.support.heartbeat import tick
from taxi_assets_tests.support.tlc_site import TlcSite, serving
from taxi_assets_tests.support.waiting import HANGS_AFTER

NOT_THERE = "2024-03"
IN_AN_ADDRESS = f"http://{LOGIN}@127.0.0.1:9"
PROVIDER = {"TAXI_OIDC_METADATA_URL": "http://127.0.0.1:9/x", "TAXI_OIDC_CLIENT_ID": "taxi"}


@dataclass
class Told:
    """A lake in which everything was done with secrets around, and all that was said meanwhile."""

    lake: Path
    good: MonthResult
    bad: MonthResult
    texts: list[str] = field(default_factory=list)
    logins: set[str] = field(default_factory=set)


class _Log(logging.Handler):
    """Every record of this process, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def told(source: Path, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A month that succeeds, from a site that wants a login; one that fails; a heartbeat, an alert, commands."""
    folder, log, printed = tmp_path_factory.mktemp("secrets"), _Log(), io.StringIO()
    netrc = folder / "netrc"
    netrc.write_text("machine 127.0.0.1 login {} password {}\n".format(*LOGIN.split(":")))
    netrc.chmod(0o600)
    lake = folder / "lake"
    with pytest.MonkeyPatch.context() as patch, serving(source) as site:
        logins = _asking_for_a_login(site)
        variables = {**secrets(), **PROVIDER, "NETRC": str(netrc), "TAXI_LAKE": str(lake), "TAXI_ENGINE": engine}
        for name, value in {**variables, "TAXI_SOURCE": site.address}.items():
            patch.setenv(name, value)
        logging.getLogger().addHandler(log)
        with redirect_stdout(printed), redirect_stderr(printed):
            settings = Settings()
            good, bad = (run_month(settings, month, None, lambda *_: None) for month in (MONTH, NOT_THERE))
            found = Told(lake, good, bad, logins=logins)
            found.texts += [repr(settings), settings.model_dump_json(), str(good), str(bad), *_said(settings)]
        logging.getLogger().removeHandler(log)
        found.texts += [*log.lines, printed.getvalue()]
    return found


def _asking_for_a_login(site: TlcSite) -> set[str]:
    """Have the site answer 401 without a login; what it was given."""
    given: set[str] = set()

    def ask(handler: BaseHTTPRequestHandler) -> bool:
        given.add(handler.headers.get("Authorization", ""))
        if "Authorization" in handler.headers:
            return False
        handler.send_response(401)
        handler.end_headers()
        return True

    site.always = ask
    return given


def _said(settings: Settings) -> Iterator[str]:
    """What the sensors and the commands say, each as somebody sees it."""
    now = datetime.now(timezone.utc)
    yield tick(settings, now)
    later = (now + timedelta(days=2)).replace(hour=8)
    resources = {"lake": LakeResource.of(settings), "notifier": notifier_of(settings), "slack": slack_of(settings)}
    with (
        dg.DagsterInstance.from_config(str(dagster_home(settings))) as instance,
        dg.build_sensor_context(instance=instance, resources=resources) as context,
    ):
        said = alerts_sensor("http://127.0.0.1:3000", lambda _: None, lambda: later, True).evaluate_tick(context)
        yield str(said)
    for command in (
        ["status", "--json"],
        ["health"],
        ["health", "--json"],
        ["query", "SELECT count(*) FROM daily_metrics"],
        ["query", "SELECT no_such_column FROM daily_metrics"],
        ["query", "SELECT getenv('TAXI_SLACK_WEBHOOK_URL')"],
        ["query", "SELECT content FROM read_text('/proc/self/environ')"],
        ["query", "SELECT * FROM duckdb_secrets()"],
        ["query", "SELECT name, value FROM duckdb_settings()"],
        ["run", "--month", MONTH, "--source", IN_AN_ADDRESS],
    ):
        done = CliRunner().invoke(main, command)
        yield f"{command[0]} {done.output} {done.stderr} {done.exception!r}"


def test_the_months_end_as_they_are_meant_to_and_the_site_was_logged_in_to(told: Told) -> None:
    assert told.good.succeeded, told.good.error
    assert not told.bad.succeeded
    assert told.logins == {f"Basic {b64encode(LOGIN.encode()).decode()}"}
    assert list((told.lake / "alerts").glob("*run_failure*"))


def test_no_secret_is_in_what_was_said(told: Told) -> None:
    assert len(told.texts) >= 16
    assert [text for text in told.texts if found_in(text.encode())] == []
    assert any("Slack could not be reached" in text for text in told.texts)  # with the secret at hand


def test_no_secret_is_in_any_file_of_the_lake_nor_in_what_dagster_keeps(told: Told) -> None:
    assert dagster_home(Settings(lake=str(told.lake))).is_relative_to(told.lake)
    assert files_with_secrets(told.lake) == []


def test_the_dashboard_tells_no_secret_and_no_report_before_somebody_signs_in(told: Told, tmp_path: Path) -> None:
    report = Path(told.good.report)
    answers = {}
    with running_dashboard(told.lake, tmp_path / "log", {**secrets(), **PROVIDER}) as url:
        assert not is_heard_beyond_loopback(url)
        for path in (
            *("/", "/quality", f"/reports/{MONTH}", f"/reports/{MONTH}/{report.stem}", "/outlines/world_110m.json"),
            *("/auth/login", "/oauth2callback?code=1&state=2", "/oauth2callback?error=access_denied", "/nowhere"),
        ):
            answers[path] = requests.get(f"{url}{path}", timeout=HANGS_AFTER, allow_redirects=False)
    assert {answers[path].status_code for path in answers if path.startswith("/reports/")} == {403}
    said = [f"{path} {answer.status_code} {answer.headers} {answer.text}" for path, answer in answers.items()]
    assert [one for one in [*said, (tmp_path / "log").read_text()] if found_in(one.encode())] == []


def test_a_page_of_a_lake_that_cannot_be_read_tells_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "catalog.db").write_text("no catalog")
    for name, value in {**secrets(), "TAXI_LAKE": str(tmp_path)}.items():
        if not name.startswith("TAXI_OIDC"):  # nobody signs in: the page itself is wanted
            monkeypatch.setenv(name, value)
    page = AppTest.from_file(str(SCRIPT)).run(timeout=HANGS_AFTER)
    shown = " ".join(str(one.value) for one in (*page.error, *page.exception, *page.markdown, *page.warning))
    assert "catalog.db" in shown
    assert not found_in(f"{shown} {capfd.readouterr()}".encode())


def test_a_secret_that_leaks_would_be_found(told: Told, tmp_path: Path) -> None:
    """In each form in which a file of the lake, or Dagster, could have it."""
    pq.write_table(pa.table({"url": [IN_AN_ADDRESS]}), tmp_path / "a.parquet")
    (tmp_path / "b.json").write_text(f'{{"url": "{IN_AN_ADDRESS}"}}')
    with closing(sqlite3.connect(tmp_path / "c.db")) as database, database:
        database.execute("CREATE TABLE snapshots (body BLOB)")
        database.execute("INSERT INTO snapshots VALUES (?)", (zlib.compress(IN_AN_ADDRESS.encode()),))
    (tmp_path / "d.txt").write_text(told.logins.copy().pop())
    (tmp_path / f"{MARK}.txt").write_text("nothing")
    (tmp_path / "e.txt").write_text("nothing")
    found = [Path(path).name for path in files_with_secrets(tmp_path)]
    assert found == ["a.parquet", "b.json", "c.db", f"{MARK}.txt", "d.txt"]


@pytest.mark.parametrize("name", [name for name, one in Settings.model_fields.items() if one.annotation is str])
@pytest.mark.parametrize("address", [IN_AN_ADDRESS, f"sc://{LOGIN}@localhost:15002", f"s3://{LOGIN}@bucket/x"])
def test_no_setting_takes_an_address_with_a_password_or_shows_it(
    name: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = str(Settings.model_fields[name].validation_alias or f"TAXI_{name.upper()}")
    monkeypatch.setenv(variable, address)
    with pytest.raises(ValidationError, match="TAXI_") as refused:
        Settings()
    assert not found_in(str(refused.getrepr(chain=True, showlocals=False)).encode())


def test_a_token_for_the_engine_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for parameter in ("token", "x-token"):
        monkeypatch.setenv("TAXI_ENGINE", f"sc://localhost:15002/;use_ssl=true;{parameter}={MARK}")
        with pytest.raises(ValidationError, match=f"TAXI_ENGINE: {parameter} cannot be given") as refused:
            Settings()
        assert not found_in(str(refused.getrepr(chain=True, showlocals=False)).encode())
    monkeypatch.setenv("TAXI_ENGINE", "sc://localhost:15002/;use_ssl=true;user_id=ada")
    assert Settings().engine.endswith("ada")


def test_an_address_with_a_password_that_is_typed_in_the_launchpad_reaches_no_job(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"a name or password.*~/\.netrc") as refused:
        open_source(IN_AN_ADDRESS)
    assert not found_in(str(refused.value).encode())
    with dg.DagsterInstance.ephemeral() as instance:
        done = (
            build_definitions(Settings(lake=str(tmp_path / "lake"), engine="sc://127.0.0.1:9"))
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                run_config={"ops": {"ingest_raw": {"config": {"source": IN_AN_ADDRESS}}}},
                asset_selection=[RAW_TRIPS, RAW_ZONES],
                partition_key=MONTH,
                instance=instance,
                raise_on_error=False,
            )
        )
        events = [str(entry) for entry in instance.all_logs(done.run_id)]
    assert not done.success
    assert any("What to do: for a site that asks for them, put them into ~/.netrc" in event for event in events)
    assert [event for event in events if found_in(event.encode())] == []


@pytest.mark.parametrize("proxy", [f"http://{LOGIN}@127.0.0.1:9", f"http://{LOGIN}@127.0.0.1:not-a-port"])
def test_the_password_of_a_proxy_is_in_no_error(proxy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    source = HttpSource("http://tlc.example", pause_seconds=0)
    [seen] = source.look([MONTH], 60).values()
    with pytest.raises(SourceUnavailable) as failed:
        source.fetch_trips(MONTH, tmp_path / "file", lambda *_: None)
    assert seen.why
    assert not found_in(f"{seen.why} {failed.value}".encode())


def test_what_is_shown_of_an_address_has_neither_login_nor_signature() -> None:
    said = "Failed: https://a:b@c.example/d?X-Amz-Signature=0123&y=1 (Caused by url: /d?X-Amz-Signature=0123) at a@b?"
    assert without_secrets(said) == "Failed: https://c.example/d?… (Caused by url: /d?…) at a@b?"


def test_a_job_gets_no_secret_setting() -> None:
    given: dict[str, Any] = {**os.environ, **secrets(), **PROVIDER}
    assert {name for name, value in for_jobs(given).items() if MARK in value} <= {
        "AWS_SECRET_ACCESS_KEY",  # of a file in S3's inbox
        "AWS_SESSION_TOKEN",
    }


@pytest.mark.parametrize("secret", [MARK, f'"{MARK}"', f'{{"password": "{MARK}"}}', f'["{MARK}"]'])
def test_a_secret_of_the_warehouse_that_has_no_login_is_not_shown(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = boto3.client("secretsmanager", REGION, aws_access_key_id="a", aws_secret_access_key="b")
    monkeypatch.setattr(redshift, "client", lambda *_: manager)
    arn = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:x"
    with Stubber(manager) as stub:
        stub.add_response("get_secret_value", {"SecretString": secret}, {"SecretId": arn})
        with pytest.raises(redshift.WarehouseUnavailable, match="has no username and password") as refused:
            redshift.secret_login("taxi", arn, REGION)
    assert not found_in(str(refused.getrepr(chain=True, showlocals=False)).encode())
