"""The one validated place for environment settings (``TAXI_*``).

Belongs here: what may be set and what it may be set to. Does not: reading any other environment variable (boto3 reads
AWS's own: credentials, ``AWS_ENDPOINT_URL``).
"""

from __future__ import annotations

import os
import re
import sys
from datetime import datetime, timezone
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, SecretStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict
from typing_extensions import Self

from glue_jobs.addresses import NOT_IN_AN_ADDRESS, fault_of_address, has_password
from glue_jobs.contracts import tlc
from glue_jobs.errors import PipelineError, has_control

TLC_SITE = "https://d37ci6vzurychx.cloudfront.net"
"""Where the TLC publishes its trip records."""

SAIL, SPARK = "sail", "spark"
_SHORTEST_SECRET = 32
_CONNECT_PARAMETERS = frozenset({"", "/", "use_ssl", "user_id", "user_agent", "session_id"})
"""Of a Spark Connect address; any other is sent to the server as it is, a token too."""
_MONTH = r"20[0-9]{2}-(0[1-9]|1[0-2])"
_LONGEST, _SHOWN = 4_000, 80
"""Characters that a setting may have, and that are shown of one that is wrong."""
_S3_ROOT = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._=-]+)*")


class Profile(str, Enum):
    """Where everything runs: on this machine, or on AWS."""

    LOCAL = "local"
    AWS = "aws"


class Settings(BaseSettings):
    """Settings of one process, each set from outside by ``TAXI_`` and its name.

    ``lake``: folder of the lake, ``s3://bucket`` or ``s3://bucket/prefix`` with the profile ``aws``. ``source``:
    https:// address in the TLC's layout, folder with its files, or ``synthetic:rows=50000,seed=1``. ``engine``, for
    the profile ``local``: ``sail``, ``spark`` (JVM) or a Spark Connect address ``sc://host:port``; ``jobs_python``,
    for it too: the Python that runs the jobs, whose PySpark is the Spark of ``spark``. ``first_month``
    (``TAXI_FROM``): the first month that there is to run. ``mask``: whether files are masked as they are landed, for a
    lake to develop with, so that each row is one of at least ``mask_k``. ``watch``: whether the
    source is watched by itself (with the profile ``aws`` unless told otherwise), from the month ``watch_from`` on
    (else the twelve newest), every ``watch_minutes``. The others are for the profile ``aws``: ``drop_queue_url``,
    the SQS queue that hears of files dropped into the lake's inbox; ``region``; ``glue_job_prefix`` and
    ``database_prefix``, which the names of Glue jobs and catalog databases begin with; version, worker type and
    number of workers of the Glue jobs, what the names of their log groups begin with, their
    longest run in minutes, seconds between two looks at a run, how often
    an attempt that failed for a passing cause is repeated, and the price of a DPU-hour in USD; the Redshift Serverless
    workgroup that answers queries (empty: DuckDB over S3 does) and its database, ``redshift_secret_arn``, the secret to
    log in with instead of the IAM role, ``redshift_iam_role``, by which Redshift reads the lake, its base capacity in
    RPU and the price of an RPU-hour in USD. For both:
    ``ui_url``, where Dagster's pages are; ``dashboard_url``, where the dashboard is; ``oidc_metadata_url``,
    the configuration of an OpenID Connect provider that people sign in to the dashboard with, the client's id and
    secret there, and the secret that signs the cookie (all four, or none: nobody signs in); ``alert_topic_arn``, the
    SNS topic of alerts (empty: a folder of the lake); ``slack_webhook_url``, a secret, for a copy of them;
    ``heartbeat_url``, a secret too, that is called every five minutes while the daemon is alive. A pydantic
    ValidationError names the variable that is wrong.
    """

    # An error must not show its input: the secrets are among it.
    model_config = SettingsConfigDict(env_prefix="TAXI_", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    profile: Profile = Profile.LOCAL
    lake: str = "lake"
    source: str = TLC_SITE
    engine: str = SAIL
    jobs_python: Path = Path(sys.executable)
    first_month: Annotated[str, Field(validation_alias="TAXI_FROM")] = tlc.FIRST_MONTH
    mask: bool = False
    mask_k: Annotated[int, Field(ge=2, le=1000)] = 5
    watch: bool | None = None
    watch_from: Annotated[str, Field(pattern=rf"^({_MONTH})?$")] = ""
    watch_minutes: Annotated[int, Field(ge=1, le=10_080)] = 60
    drop_queue_url: str = ""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")] = "us-east-1"
    glue_job_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]*$")] = "taxi-"
    database_prefix: Annotated[str, Field(pattern=r"^[a-z0-9_]*$")] = "taxi_"
    glue_version: Literal["5.0", "5.1", "6.0"] = "5.1"
    glue_worker_type: Literal["G.1X", "G.2X", "G.4X", "G.8X"] = "G.1X"
    glue_workers: Annotated[int, Field(ge=2, le=10)] = 2
    glue_log_group: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.-]+[A-Za-z0-9_.-]$")] = "/aws-glue/jobs"
    glue_timeout_minutes: Annotated[int, Field(ge=1, le=2880)] = 60
    glue_poll_seconds: Annotated[float, Field(gt=0, le=3_600)] = 5.0
    glue_retries: Annotated[int, Field(ge=0, le=10)] = 2
    glue_usd_per_dpu_hour: Annotated[float, Field(ge=0, le=1_000)] = 0.44
    redshift_workgroup: Annotated[str, Field(pattern=r"^([a-z0-9-]{3,64})?$")] = ""
    redshift_database: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,63}$")] = "taxi"
    redshift_secret_arn: Annotated[str, Field(pattern=r"^(arn:aws[a-z-]*:secretsmanager:\S+)?$")] = ""
    redshift_iam_role: Annotated[str, Field(pattern=r"^(default|arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+)$")] = "default"
    redshift_rpu: Annotated[int, Field(ge=4, le=1024)] = 32
    redshift_usd_per_rpu_hour: Annotated[float, Field(ge=0, le=1_000)] = 0.375
    ui_url: str = "http://127.0.0.1:3000"
    dashboard_url: str = "http://127.0.0.1:8501"
    oidc_metadata_url: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_cookie_secret: SecretStr = SecretStr("")
    alert_topic_arn: Annotated[str, Field(pattern=r"^(arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)?$")] = ""
    slack_webhook_url: SecretStr = SecretStr("")
    heartbeat_url: SecretStr = SecretStr("")

    @property
    def watches_by_itself(self) -> bool:
        """Whether the source is watched without anybody switching it on.

        Not on a laptop: whoever opens the UI there has not asked for twelve months to be downloaded.
        """
        return self.profile is Profile.AWS if self.watch is None else self.watch

    @property
    def masked_to(self) -> int:
        """Of how many rows at least each is one in this lake; 0 if rows are as they came."""
        return self.mask_k if self.mask else 0

    @property
    def dashboard_has_login(self) -> bool:
        """Whether people sign in to the dashboard."""
        return bool(self.oidc_metadata_url)

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_variable(cls, given: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """pydantic names the field; who reads the message has set a variable."""
        try:
            return validate(given)
        except ValidationError as error:
            faults = [(".".join(map(str, fault["loc"])), fault["msg"], fault["input"]) for fault in error.errors()]
            said = [
                f"{_variable(where)}: {told}, not {str(value)[:_SHOWN]!r}" if where else told
                for where, told, value in faults
            ]
            text = "; ".join(part.removeprefix("Value error, ") for part in said)
            raise _wrong(text) from None

    @model_validator(mode="before")
    @classmethod
    def _lake_of_profile(cls, given: dict[str, Any]) -> dict[str, Any]:
        lake = str(given.get("lake", "lake"))
        if given.get("profile", Profile.LOCAL) in (Profile.AWS, Profile.AWS.value):
            if not _S3_ROOT.fullmatch(lake.rstrip("/")):
                raise _wrong(f"TAXI_LAKE: {lake!r} is not s3://bucket or s3://bucket/prefix, as TAXI_PROFILE=aws needs")
            return {**given, "lake": lake.rstrip("/")}
        if "://" in lake:
            raise _wrong(f"TAXI_LAKE: {lake} is not a folder; for a lake in S3 set TAXI_PROFILE=aws as well")
        return {**given, "lake": str(_folder(lake))}

    @model_validator(mode="before")
    @classmethod
    def _jobs_python_that_runs(cls, given: dict[str, Any]) -> dict[str, Any]:
        # Not resolved: an environment's python is a link to one that knows nothing of the environment.
        try:
            python = Path(given.get("jobs_python", sys.executable)).expanduser().absolute()
            is_program = python.is_file() and os.access(python, os.X_OK)
        except (OSError, RuntimeError) as error:  # a name that is too long; ~somebody
            raise _wrong(f"TAXI_JOBS_PYTHON: {given['jobs_python'][:_SHOWN]} is no file ({error})") from error
        if not is_program:
            raise _wrong(
                f"TAXI_JOBS_PYTHON: {python} is no executable file; give the path of a Python that has PySpark, "
                "for example .venv-spark4/bin/python (make spark4)"
            )
        return {**given, "jobs_python": python}

    @model_validator(mode="before")
    @classmethod
    def _texts_that_can_be_shown(cls, given: dict[str, Any]) -> dict[str, Any]:
        # Defined last of those before, so that it is the first that is asked.
        for name, value in given.items():
            if isinstance(value, str) and (len(value) > _LONGEST or has_control(value)):
                what = f"more than {_LONGEST:,} characters" if len(value) > _LONGEST else "a control character"
                raise _wrong(f"{_variable(name)} has {what} in it; write it in one line, as UTF-8")
        return given

    @model_validator(mode="after")
    def _addresses_that_can_be_asked(self) -> Self:
        given = {"ui_url": self.ui_url, "dashboard_url": self.dashboard_url}
        given |= {"oidc_metadata_url": self.oidc_metadata_url, "drop_queue_url": self.drop_queue_url}
        given |= {"slack_webhook_url": self.slack_webhook_url.get_secret_value()}  # of these no value is shown
        given |= {"heartbeat_url": self.heartbeat_url.get_secret_value()}
        for name, address in given.items():
            if (address or name in ("ui_url", "dashboard_url")) and (fault := fault_of_address(address)):
                raise _wrong(f"{_variable(name)} {fault}; give a whole address, for example https://example.org/path")
        return self

    @model_validator(mode="after")
    def _a_month_with_zones_that_has_ended(self) -> Self:
        if not re.fullmatch(_MONTH, self.first_month):
            raise _wrong(f"TAXI_FROM: {self.first_month!r} is not a month; write it as YYYY-MM, for example 2024-01")
        if self.first_month < tlc.FIRST_MONTH:
            raise _wrong(
                f"TAXI_FROM: {self.first_month} is before {tlc.FIRST_MONTH}, the first month whose file has taxi zones"
            )
        if self.first_month >= f"{datetime.now(timezone.utc):%Y-%m}":
            raise _wrong(f"TAXI_FROM: {self.first_month} has not ended yet; give a month that has, for example 2024-01")
        return self

    @model_validator(mode="after")
    def _webhook_by_tls(self) -> Self:
        # Not a pattern of the field: its fault would show the value.
        if self.slack_webhook_url.get_secret_value() and not self.slack_webhook_url.get_secret_value().startswith(
            "https://"
        ):
            raise _wrong("TAXI_SLACK_WEBHOOK_URL does not begin with https://")
        return self

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        given = {
            "TAXI_OIDC_METADATA_URL": bool(self.oidc_metadata_url),
            "TAXI_OIDC_CLIENT_ID": bool(self.oidc_client_id),
            "TAXI_OIDC_CLIENT_SECRET": bool(self.oidc_client_secret),
            "TAXI_OIDC_COOKIE_SECRET": bool(self.oidc_cookie_secret),
        }
        there, missing = ([name for name, is_set in given.items() if is_set is wanted] for wanted in (True, False))
        if there and missing:
            raise _wrong(f"{', '.join(there)} without {', '.join(missing)}: signing in to the dashboard needs them all")
        if 0 < len(self.oidc_cookie_secret.get_secret_value()) < _SHORTEST_SECRET:
            raise _wrong(f"TAXI_OIDC_COOKIE_SECRET has fewer than {_SHORTEST_SECRET} characters: cookies can be forged")
        return self

    @model_validator(mode="after")
    def _redshift_reads_s3(self) -> Self:
        if self.redshift_workgroup and self.profile is not Profile.AWS:
            raise _wrong("TAXI_REDSHIFT_WORKGROUP: Redshift reads no lake in a folder; set TAXI_PROFILE=aws as well")
        if self.redshift_workgroup and find_spec("redshift_connector") is None:
            raise _wrong("TAXI_REDSHIFT_WORKGROUP needs redshift-connector: pip install 'nyc-taxi-lakehouse[redshift]'")
        return self

    @model_validator(mode="after")
    def _known_engine(self) -> Self:
        if self.engine in (SAIL, SPARK):
            return self
        address, *parameters = self.engine.split(";")
        if unknown := [one.partition("=")[0] for one in parameters if one.partition("=")[0] not in _CONNECT_PARAMETERS]:
            raise _wrong(
                f"TAXI_ENGINE: {', '.join(unknown)} cannot be given, because Dagster keeps the address with each run; "
                "keep a token outside, for example in a tunnel to the server"
            )
        at = address.removeprefix("sc://")
        if at == address or fault_of_address(f"http://{at}"):
            raise _wrong(f"TAXI_ENGINE: {self.engine[:_SHOWN]!r} is none of {SAIL}, {SPARK}, sc://host:port")
        return self

    @model_validator(mode="before")
    @classmethod
    def _no_password_in_an_address(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Defined last, so that it is asked before any other validator can show the value."""
        for name, field in cls.model_fields.items():
            variable = str(field.validation_alias or f"TAXI_{name.upper()}")
            value = given.get(name, given.get(variable))
            if isinstance(value, str) and field.annotation is not SecretStr and has_password(value):
                raise _wrong(f"{variable}: {NOT_IN_AN_ADDRESS}")
        return given

    @model_validator(mode="after")
    def _source_within_reach(self) -> Self:
        if not self.source.strip():
            raise _wrong("TAXI_SOURCE is empty: give a https:// address, a folder, or synthetic")
        remote = self.source.startswith(("https://", "http://", "synthetic"))
        if self.profile is Profile.AWS and not remote:
            raise _wrong(
                f"TAXI_SOURCE: {self.source} is a folder of this machine, which Glue jobs do not see "
                "(TAXI_PROFILE=aws); give a https:// address or synthetic"
            )
        if self.source != TLC_SITE:
            from glue_jobs.sources import open_source  # with all that sources need

            try:
                open_source(self.source)
            except PipelineError as error:
                raise _wrong(f"TAXI_SOURCE: {error.problem}; {error.remedy}") from error
        return self


def _wrong(text: str) -> PydanticCustomError:
    """No ValueError: pydantic would say that it is one, before the sentence."""
    return PydanticCustomError("settings", "{text}", {"text": text})


def _variable(field: str) -> str:
    """What a field is set by; a field that has another name is among what was given by that."""
    return "TAXI_FROM" if field in ("TAXI_FROM", "first_month") else f"TAXI_{field.upper()}"


def _folder(lake: str) -> Path:
    if not lake.strip():
        raise _wrong("TAXI_LAKE is empty: give a folder, it is made if it does not exist")
    try:
        resolved = Path(lake).expanduser().resolve()
        file = next((one for one in (resolved, *resolved.parents) if one.exists() and not one.is_dir()), None)
    except (OSError, RuntimeError) as error:  # a name that is too long; ~somebody
        raise _wrong(f"TAXI_LAKE: {lake[:_SHOWN]} is no folder ({getattr(error, 'strerror', error)})") from error
    if file is not None:
        raise _wrong(f"TAXI_LAKE: {file} is a file; give a folder, it is made if it does not exist")
    if wild := sorted(set("*?[]{}") & set(str(resolved))):
        raise _wrong(f"TAXI_LAKE: {resolved} has {' '.join(wild)} in it, which engines take for a pattern")
    return resolved
