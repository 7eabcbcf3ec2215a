from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster_pyspark import LazyPySparkResource

import glue_jobs
from glue_jobs import ingest_raw
from glue_jobs.errors import Cause, PipelineError
from glue_jobs.reporting import parse_progress
from glue_jobs.reports import INGEST_RAW, STAGE_TRIPS
from taxi_assets.jobs.base import report_of
from taxi_assets.jobs.engine import EngineUnavailable, RunningEngine, describe, running_engine
from taxi_assets.jobs.local import _PREPARED, LocalJobs, _follow, _hand_over, _start
from taxi_assets.settings import SAIL, SPARK
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.waiting import wait_until

COMPLETED = {"kind": "completed", "job": "stage_trips", "facts": {"rows": 3}}


def test_a_job_that_reports_its_completion_has_facts() -> None:
    assert dict(report_of(STAGE_TRIPS, ["noise", COMPLETED], "exit code 0", "")) == {"rows": 3}


@pytest.mark.parametrize("messages", [[], [{**COMPLETED, "job": "another_job"}]])
def test_a_job_that_ends_in_silence_has_failed_even_with_exit_code_0(messages: list[object]) -> None:
    with pytest.raises(PipelineError, match=r"without a completion report \(exit code 0\)"):
        report_of(STAGE_TRIPS, messages, "exit code 0", "last words")


def test_a_job_that_refuses_its_input_says_the_problem_and_the_remedy() -> None:
    told = {"problem": "f.parquet is cut off", "remedy": "fetch it again", "cause": "data"}
    with pytest.raises(PipelineError, match=r"f\.parquet is cut off\. What to do: fetch it again\.") as refused:
        report_of(STAGE_TRIPS, [{"kind": "failed", "job": "stage_trips", **told}], "exit code 1", "")
    assert refused.value.cause is Cause.DATA
    assert not refused.value.may_pass


def test_the_last_lines_of_a_job_are_kept() -> None:
    end, lines = _follow(
        _start([sys.executable, "-c", "print('a', flush=True); raise SystemExit('b')"], {}), RunningEngine({})
    )
    assert (end, lines) == ("exit code 1", "a\nb\n")


def test_a_prepared_python_becomes_the_job_that_is_handed_over(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(
        "import os, sys; print(__name__, sys.argv[1:], os.environ['SPARK_REMOTE'], 'wave' in sys.modules)"
    )
    python = _start([sys.executable, _PREPARED, "wave"], {})
    _hand_over(python, [str(script), "--month", MONTH], RunningEngine({"SPARK_REMOTE": "sc://a"}))
    assert _follow(python, RunningEngine({})) == ("exit code 0", f"__main__ ['--month', '{MONTH}'] sc://a True\n")


def test_a_prepared_python_that_cannot_import_ends_in_the_words_of_the_error() -> None:
    python = _start([sys.executable, _PREPARED, "there_is_none"], {})
    python.wait()
    _hand_over(python, ["job.py"], RunningEngine({}))
    end, lines = _follow(python, RunningEngine({}))
    assert end == "exit code 1"
    assert "No module named 'there_is_none'" in lines


def test_a_prepared_python_ends_when_its_parent_is_killed() -> None:
    script = (
        "import time\nfrom taxi_assets.jobs.local import _PREPARED, _start\nimport sys\n"
        "print(_start([sys.executable, _PREPARED], {}).pid, flush=True)\ntime.sleep(600)"
    )
    assert_ends_with_its_parent(script)


def test_a_prepared_python_that_was_killed_is_replaced() -> None:
    jobs = LocalJobs(engine=SAIL, spark=LazyPySparkResource(spark_config={}))
    with jobs.yield_for_execution(dg.build_init_resource_context()):
        killed = jobs._prepared = jobs._prepare(INGEST_RAW)
        killed.kill()
        killed.wait()
        other = jobs._python_for(INGEST_RAW)
        assert other.poll() is None
    assert other.poll() is not None


def test_a_job_is_stopped_when_its_engine_ends() -> None:
    server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"], text=True)
    end, _ = _follow(_start([sys.executable, "-c", "import time; time.sleep(600)"], {}), RunningEngine({}, server))
    assert "the embedded Spark engine (Sail) ended with exit code 0" in end


@pytest.mark.usefixtures("interruptible")
def test_a_job_is_stopped_when_the_run_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    passed_on = io.StringIO()
    monkeypatch.setattr(sys, "stderr", passed_on)
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"

    def interrupt() -> None:
        while not passed_on.getvalue().endswith("\n"):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        _follow(_start([sys.executable, "-c", script], {}), RunningEngine({}))
    with pytest.raises(ProcessLookupError):
        os.kill(int(passed_on.getvalue()), 0)


def test_the_engine_ends_with_its_run() -> None:
    with running_engine(SAIL) as running:
        assert running.environment["SPARK_REMOTE"].startswith("sc://127.0.0.1:")
        assert running.ended() == ""
    assert running.server is not None
    assert running.server.returncode == 0


def test_the_engine_ends_when_its_parent_is_killed() -> None:
    script = (
        "import time\nfrom taxi_assets.jobs.engine import running_engine\n"
        "with running_engine('sail') as r:\n    print(r.server.pid, flush=True)\n    time.sleep(600)"
    )
    assert_ends_with_its_parent(script)


JOB = """
import os, sys, time
from glue_jobs.reporting import argument_parser, run_job
def body(arguments, reporter):
    print(os.getpid(), flush=True)
    time.sleep(600)
run_job("stage_trips", argument_parser(""), body)
"""


def test_a_job_ends_when_its_parent_is_killed() -> None:
    script = (
        "import sys\n"
        "from taxi_assets.jobs.local import RunningEngine, _follow, _start\n"
        f"process = _start([sys.executable, '-c', {JOB!r}, '--end-with-stdin', '--month', '2024-02'], {{}})\n"
        "_follow(process, RunningEngine({}))"
    )
    assert_ends_with_its_parent(script, on_stderr=True)


def assert_ends_with_its_parent(script: str, on_stderr: bool = False) -> None:
    """``script`` says on its first line the process that it started; when it is killed, that one ends."""
    out, err = (None, subprocess.PIPE) if on_stderr else (subprocess.PIPE, None)
    with subprocess.Popen([sys.executable, "-c", script], stdout=out, stderr=err, text=True) as parent:
        stream = parent.stdout or parent.stderr
        assert stream is not None
        started = int(stream.readline())
        parent.kill()
    wait_until(lambda: not _is_alive(started))


def _is_alive(pid: int) -> bool:
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(listed) and not listed.startswith("Z")


def test_an_address_where_no_engine_is_is_refused_at_once() -> None:
    with (
        pytest.raises(EngineUnavailable, match=r"sc://127\.0\.0\.1:9 cannot be reached"),
        running_engine("sc://127.0.0.1:9"),
    ):
        pass


@pytest.fixture
def bare_python(tmp_path: Path) -> str:
    """A Python with nothing but its standard library."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    return str(tmp_path / "bare" / "bin" / "python")


def test_a_python_without_pyspark_is_refused_with_the_variable_that_names_it(bare_python: str) -> None:
    assert describe(SPARK, bare_python) == "spark ? (JVM)"
    with (
        pytest.raises(EngineUnavailable, match=r"has no PySpark\. What to do: check TAXI_JOBS_PYTHON \(make spark4"),
        running_engine(SPARK, python=bare_python),
    ):
        pass


def test_the_package_of_the_jobs_can_be_imported_where_it_is_not_installed(bare_python: str) -> None:
    command = [bare_python, "-c", "import glue_jobs; print(glue_jobs.__file__)"]
    assert _follow(_start(command, {}), RunningEngine({})) == ("exit code 0", f"{glue_jobs.__file__}\n")


def test_a_script_run_by_hand_shows_its_progress_and_report(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, ingest_raw.__file__, "--month", MONTH, "--source", source, "--raw-dir", tmp_path / "raw"]
    glue_adds = ["--JOB_NAME", "ingest_raw", "--enable-metrics", "true"]
    done = subprocess.run([*map(str, command), *glue_adds], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"kind": "completed"' in done.stdout
    messages = [line.partition(" INFO ")[2] for line in done.stderr.splitlines()]
    assert any(parse_progress(message) for message in messages)
