"""What a step shows when something breaks after its checks were asked: all answers, and all that was committed."""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from glue_jobs.errors import Cause, PipelineError
from glue_jobs.reports import Job, WithSeconds
from taxi_assets.assets.publish import Published, Work, run_and_publish
from taxi_assets.checks.check import Check, expect
from taxi_assets.checks.session import Session
from taxi_assets.jobs.base import ENGINE_START, JobRun
from taxi_assets.lake.append_tables import CheckHistory
from taxi_assets.lake.resource import LakeResource
from taxi_assets.metrics.recorder import Metrics
from taxi_assets.partitions import MONTHS

FIRST, SECOND, THIRD = KEYS = [dg.AssetKey(["curated", name]) for name in ("first", "second", "third")]
ANSWERED = AssetCheckExecutionRecordStatus.SUCCEEDED
NO_SPACE = OSError(28, "No space left on device")
CONFLICT = PipelineError("second was published by another run", "run it again", cause=Cause.CONFLICT)
JOB = Job[WithSeconds]("a_job")
TIMES = ("seconds", "phases")


class Nothing:
    """What checks that read no file are asked of."""

    session = Session({})


class AJob:
    """A job that is done at once."""

    def run(self, *_: object) -> JobRun[WithSeconds]:
        return JobRun(JOB, {"seconds": {"work": 0.7, "total": 0.8}}, 1.0, {ENGINE_START: 0.1}, {})


class NoMetrics(Metrics):
    def put(self, *_: object, **__: object) -> None:
        pass


class BrokenMetrics(Metrics):
    def put(self, *_: object, **__: object) -> None:
        raise KeyError("a mistake in a metric")


def says(answer: str) -> Callable[[object], Any]:
    return lambda _: expect(answer, "good", "SELECT 1")


class Step:
    """A step of three assets, each with a check, and what Dagster's pages show of it."""

    def __init__(
        self,
        lake: Path,
        *,
        commit: Mapping[dg.AssetKey, BaseException] | None = None,
        tell: Mapping[dg.AssetKey, Exception] | None = None,
        answers: Mapping[dg.AssetKey, str] | None = None,
        refused: Callable[[str], None] = lambda _: None,
        metrics: Metrics | None = None,
    ) -> None:
        checks = [Check(key, "is_good", "", says((answers or {}).get(key, "good"))) for key in KEYS]

        def publish(_: object, passed: Collection[dg.AssetKey]) -> Iterator[Published]:
            for key in KEYS:
                if key in passed:
                    if commit and key in commit:
                        raise commit[key]
                    # mypy infers no type for the default that binds the key of this turn of the loop.
                    yield Published(key, 7, {"known": 7}, lambda key=key: told_of(key))  # type: ignore[misc]

        def told_of(key: dg.AssetKey) -> Mapping[str, Any]:
            if tell and key in tell:
                raise tell[key]
            return {"told": key.path[-1]}

        work = Work(
            job=JOB,
            arguments={},
            checks=checks,
            version=lambda _: "v1",
            subject=lambda _: Nothing(),
            publish=publish,
            folders=lambda _: {},
            readers_see={},
            together=False,
            refused=refused,
        )

        @dg.multi_asset(
            specs=[dg.AssetSpec(key) for key in KEYS],
            check_specs=[check.spec(MONTHS) for check in checks],
            partitions_def=MONTHS,
        )
        def step(context: dg.AssetExecutionContext) -> Iterator[Any]:
            resource = LakeResource(root=str(lake))
            # AJob does only what a step asks of Jobs here.
            yield from run_and_publish(context, AJob(), resource, metrics or NoMetrics(), lambda _: work)  # type: ignore[arg-type]

        with dg.DagsterInstance.ephemeral() as instance:
            done = dg.materialize([step], instance=instance, partition_key="2024-02", raise_on_error=False)
            records = {
                key: instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(key, "is_good"), 1)
                for key in KEYS
            }
        self.succeeded = done.success
        said: dict[Any, dict[str, Any]] = {
            event.asset_key: {name: entry.value for name, entry in event.materialization.metadata.items()}
            for event in done.get_asset_materialization_events()
            if event.asset_key in KEYS
        }
        self.times = {key: {name: metadata.pop(name) for name in TIMES} for key, metadata in said.items()}
        self.published = said
        self.checks = {key: of_check[0].status for key, of_check in records.items() if of_check}
        failures = done.filter_events(lambda event: event.is_step_failure)
        self.failure = "".join(event.step_failure_data.error_display_string for event in failures)


def test_a_step_that_goes_well_shows_each_asset_with_its_answer(tmp_path: Path) -> None:
    step = Step(tmp_path)
    assert step.succeeded
    assert step.published == {key: {"told": key.path[-1], "known": 7} for key in KEYS}
    assert step.checks == dict.fromkeys(KEYS, ANSWERED)


def test_each_asset_shows_what_the_time_of_the_step_went_into(tmp_path: Path) -> None:
    phases = Step(tmp_path).times[THIRD]["phases"]
    asked, recorded = "ask the checks", ("record what the checks found", "publish", "record metrics")
    assert list(phases) == [
        "start the engine",
        "work",
        "job's process",
        asked,
        *recorded,
        "read what people are shown",
    ]
    assert {name: phases[name] for name in list(phases)[:3]} == {
        "start the engine": 0.1,
        "work": 0.7,
        "job's process": 0.2,
    }
    assert all(seconds >= 0 for seconds in phases.values())


@pytest.mark.parametrize(
    "error", [NO_SPACE, CONFLICT, KeyError("a mistake"), KeyboardInterrupt()], ids=lambda error: type(error).__name__
)
def test_whatever_ends_a_publication_what_was_asked_and_committed_by_then_is_shown(
    tmp_path: Path, error: BaseException
) -> None:
    step = Step(tmp_path, commit={SECOND: error})
    assert not step.succeeded
    assert step.published == {FIRST: {"told": "first", "known": 7}}
    assert step.checks == dict.fromkeys(KEYS, ANSWERED)


def test_an_error_of_ours_names_what_was_published_before_it(tmp_path: Path) -> None:
    error = PipelineError("third was published by another run", "run it again", cause=Cause.CONFLICT)
    step = Step(tmp_path, commit={THIRD: error})
    assert "by another run. Published before that: first, second. What to do: run it again." in step.failure


def test_answers_that_the_history_does_not_take_are_shown_and_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object, **__: object) -> int:
        raise NO_SPACE

    monkeypatch.setattr(CheckHistory, "record", no_space)
    step = Step(tmp_path)
    assert not step.succeeded
    assert step.published == {}
    assert step.checks == dict.fromkeys(KEYS, ANSWERED)


def test_a_mistake_in_a_metric_hides_nothing_that_was_published(tmp_path: Path) -> None:
    step = Step(tmp_path, metrics=BrokenMetrics())
    assert "a mistake in a metric" in step.failure
    assert step.published.keys() == set(KEYS)
    assert step.checks == dict.fromkeys(KEYS, ANSWERED)


def test_what_cannot_be_told_of_a_published_asset_does_not_fail_the_step(tmp_path: Path) -> None:
    step = Step(tmp_path, tell={FIRST: NO_SPACE})
    assert step.succeeded
    assert [list(shown) for shown in step.published.values()] == [["known"], ["told", "known"], ["told", "known"]]


def test_a_mistake_in_what_is_told_of_an_asset_hides_no_other(tmp_path: Path) -> None:
    step = Step(tmp_path, tell={FIRST: KeyError("a mistake")})
    assert "a mistake" in step.failure
    assert step.published.keys() == set(KEYS)
    assert step.checks == dict.fromkeys(KEYS, ANSWERED)


def test_a_refused_asset_shows_its_answer_and_the_others_are_published(tmp_path: Path) -> None:
    step = Step(tmp_path, answers={SECOND: "bad"})
    assert step.published.keys() == {FIRST, THIRD}
    assert step.checks == {**dict.fromkeys(KEYS, ANSWERED), SECOND: AssetCheckExecutionRecordStatus.FAILED}
    assert "curated/second: is_good (bad)" in step.failure
    assert "Published: first, third" in step.failure


def test_answers_are_shown_though_a_refusal_could_not_be_entered(tmp_path: Path) -> None:
    def cannot(_: str) -> None:
        raise NO_SPACE

    step = Step(tmp_path, answers={SECOND: "bad"}, refused=cannot)
    assert "No space left" in step.failure
    assert step.published.keys() == {FIRST, THIRD}
    assert step.checks.keys() == set(KEYS)
