"""A worker that is killed while its Glue run is at work, on the emulated AWS: nobody is left to stop that run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from taxi_assets.lake.status import lake_status
from taxi_assets_tests.emulators.aws import AwsEmulator
from taxi_assets_tests.support.aws_lake import AwsLake, deployed_lake, hanging_run

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="module")
def lake(aws: AwsEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsLake]:
    """An empty lake."""
    with deployed_lake(aws, tmp_path_factory.mktemp("aws")) as lake:
        yield lake


def test_after_a_worker_was_killed_the_next_run_stops_what_it_left_and_publishes(lake: AwsLake) -> None:
    with hanging_run(lake) as hung:
        hung.worker.kill()
        hung.worker.wait()
        assert hung.glue_run.state == "RUNNING"  # nobody was left to stop it
        assert set(lake.versions().values()) == {None}
        # The next run's own Glue run writes to the folder whose calls are held: it begins when the one left has ended.
        lake.aws.faults.before("glue", "StartJobRun", hung.held.let_go, resource_contains="taxi-stage-trips")
        result = lake.run()
    assert result.succeeded, result.error
    assert hung.glue_run.state == "STOPPED"
    assert None not in lake.versions().values()
    assert lake_status(lake.open())[0].remarks == ()
