"""What a deployment uploads, and what it makes of the Glue jobs."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from glue_jobs import ingest_raw
from glue_jobs.reports import JOBS
from taxi_assets.aws import deploy as deployment
from taxi_assets.aws.client import AwsError
from taxi_assets.aws.deploy import deploy
from taxi_assets.jobs.code import Code, build
from taxi_assets.settings import Profile, Settings
from taxi_assets_tests.emulators.aws import AwsEmulator, deployed_name
from taxi_assets_tests.emulators.environment import ACCOUNT

pytestmark = pytest.mark.emulator

BUCKET = "deploy-tests"


@pytest.fixture
def settings(aws: AwsEmulator) -> Settings:
    """A bucket and jobs of its own."""
    aws.client("s3").create_bucket(Bucket=BUCKET)
    for job in JOBS:
        aws.client("glue").delete_job(JobName=deployed_name(job))
        aws.client("glue").create_job(
            Name=deployed_name(job),
            Description="made by Terraform",
            Role=f"arn:aws:iam::{ACCOUNT}:role/taxi-glue-job",
            Command={"Name": "glueetl", "ScriptLocation": "s3://nowhere/no.py", "PythonVersion": "3"},
            DefaultArguments={"--enable-auto-scaling": "true"},
            ExecutionProperty={"MaxConcurrentRuns": 7},
            MaxRetries=0,
            Timeout=33,
            GlueVersion="5.1",
            WorkerType="G.2X",
            NumberOfWorkers=4,
        )
    return Settings(profile=Profile.AWS, lake=f"s3://{BUCKET}/lake")


@pytest.fixture
def _other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    code = build()
    monkeypatch.setattr(deployment, "build", lambda: Code(code.archive + b"more", code.scripts))


def test_the_same_code_gives_the_same_bytes_whenever_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    first = build()
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    for path in Path(ingest_raw.__file__).parent.rglob("*.py"):
        path.touch()
    second = build()
    assert (first.archive, first.version) == (second.archive, second.version)


def test_the_archive_has_the_packages_of_the_jobs_and_nothing_else() -> None:
    with zipfile.ZipFile(io.BytesIO(build().archive)) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {"glue_jobs", "dagster_pipes"}
    assert {"glue_jobs/contracts/tlc.py", "glue_jobs/transforms/judge.py", "dagster_pipes/__init__.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_every_script_imports_what_it_needs_from_the_archive_alone(tmp_path: Path) -> None:
    code = build()
    (tmp_path / "glue_jobs.zip").write_bytes(code.archive)
    for name, script in code.scripts.items():
        (tmp_path / name).write_bytes(script)
        done = subprocess.run(
            [sys.executable, name, "--help"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path / "glue_jobs.zip"), "PATH": ""},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "--month" in done.stdout


def test_a_deployment_points_the_jobs_at_its_code_and_leaves_all_else_as_it_was(
    aws: AwsEmulator, settings: Settings
) -> None:
    deployed = deploy(settings)
    version = build().version
    assert [(one.job, one.before, one.now) for one in deployed] == [(deployed_name(job), "", version) for job in JOBS]
    keys = [entry["Key"] for entry in aws.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == sorted(
        f"lake/scripts/{version}/{name}" for name in ("glue_jobs.zip", *(f"{job}.py" for job in JOBS))
    )
    for job in JOBS:
        now = aws.client("glue").get_job(JobName=deployed_name(job))["Job"]
        root = f"s3://{BUCKET}/lake/scripts/{version}"
        assert now["Command"]["ScriptLocation"] == f"{root}/{job}.py"
        assert now["DefaultArguments"] == {
            "--enable-auto-scaling": "true",
            "--extra-py-files": f"{root}/glue_jobs.zip",
            "--code-version": version,
        }
        assert now["Description"] == "made by Terraform"
        assert (now["MaxRetries"], now["Timeout"], now["ExecutionProperty"]) == (0, 33, {"MaxConcurrentRuns": 7})
        assert (now["WorkerType"], now["NumberOfWorkers"]) == ("G.2X", 4)


def test_deploying_the_same_code_again_changes_nothing(aws: AwsEmulator, settings: Settings) -> None:
    deploy(settings)
    aws.calls.clear()
    assert all(one.before == one.now for one in deploy(settings))
    assert not [call for call in aws.calls.entries if call.action in ("PutObject", "UpdateJob")]


@pytest.mark.usefixtures("_other_code")
def test_new_code_lies_beside_the_old_which_runs_that_have_begun_still_use(
    aws: AwsEmulator, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    [first, *_] = deploy(settings)
    monkeypatch.undo()
    [second, *_] = deploy(settings)
    assert second.before == first.now != second.now
    for version in (first.now, second.now):
        assert aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"lake/scripts/{version}/")["KeyCount"] == 5


def test_another_glue_version_can_be_chosen(aws: AwsEmulator, settings: Settings) -> None:
    deploy(settings.model_copy(update={"glue_version": "6.0"}))
    assert aws.client("glue").get_job(JobName=deployed_name(JOBS[0]))["Job"]["GlueVersion"] == "6.0"


def test_jobs_that_do_not_exist_are_to_be_made_by_terraform(aws: AwsEmulator, settings: Settings) -> None:
    with pytest.raises(AwsError, match=r"nobody-ingest-raw could not be pointed at .* make it with Terraform"):
        deploy(settings.model_copy(update={"glue_job_prefix": "nobody-"}))


def test_a_bucket_that_does_not_exist_is_named(settings: Settings) -> None:
    with pytest.raises(AwsError, match="What to do: check TAXI_LAKE, or make the bucket with Terraform"):
        deploy(settings.model_copy(update={"lake": "s3://no-such-bucket-of-ours"}))
