from __future__ import annotations

from pathlib import Path

import boto3
import pytest

import taxi_assets
from taxi_assets.docs.metrics_page import render
from taxi_assets.metrics.names import CHECKS_FAILED, HEARTBEAT, METRICS, Point

DOCUMENT = Path(taxi_assets.__file__).parent.parent / "docs/metrics.md"


def test_the_document_is_that_of_the_metrics() -> None:
    assert DOCUMENT.read_text() == render(), "run: make docs"


def test_the_document_has_every_metric() -> None:
    assert all(f"| `{metric.name}` | {metric.unit} | {metric.dimension} |" in render() for metric in METRICS)


def test_units_are_those_that_cloudwatch_takes_and_names_stand_once() -> None:
    model = boto3.Session().client("cloudwatch", region_name="us-east-1").meta.service_model
    assert {metric.unit for metric in METRICS} <= set(model.shape_for("StandardUnit").enum)
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_a_point_has_the_dimension_of_its_metric() -> None:
    with pytest.raises(ValueError, match="ChecksFailed has the dimension 'Asset', given is ''"):
        Point(CHECKS_FAILED, 1)
    with pytest.raises(ValueError, match="Heartbeat has the dimension '', given is 'staging/trips'"):
        Point(HEARTBEAT, 1, "staging/trips")
