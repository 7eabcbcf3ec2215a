"""EventBridge: what Glue tells it of its runs, and its rules' way to SNS topics, which moto lacks.

Belongs here: putting and delivering events. Does not: other targets of a rule (moto's), the runs (``glue_runs``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.core.utils import iso_8601_datetime_without_milliseconds, utcfromtimestamp
from moto.events.models import Rule, events_backends
from moto.events.utils import EventTemplateParser
from moto.sns.models import sns_backends

from taxi_assets_tests.emulators.environment import ACCOUNT, REGION

_SEVERITIES = {"SUCCEEDED": "INFO", "STOPPED": "INFO", "TIMEOUT": "WARN", "FAILED": "ERROR"}
"""By the states of which Glue tells; of a run that ends as ERROR or EXPIRED it does not."""
_MESSAGES = {"SUCCEEDED": "Job run succeeded", "STOPPED": "Job run stopped", "TIMEOUT": "Job run timed out"}


@contextmanager
def events_delivered() -> Iterator[None]:
    """Let rules send to SNS topics, until the end of the block."""
    with patch.object(Rule, "send_to_targets", _sending_to_topics(Rule.send_to_targets)):
        yield


def tell_of_job(job: str, run_id: str, state: str, error: str) -> None:
    """Put the event of a run that has ended, as Glue does."""
    if state not in _SEVERITIES:
        return
    detail = {
        "jobName": job,
        "severity": _SEVERITIES[state],
        "state": state,
        "jobRunId": run_id,
        "message": error or _MESSAGES.get(state, ""),
    }
    event = {"Source": "aws.glue", "DetailType": "Glue Job State Change", "Detail": json.dumps(detail)}
    events_backends[ACCOUNT][REGION].put_events([event])  # not a call of anybody's: it is in no call log


def _sending_to_topics(send: Any) -> Any:
    def send_to_targets(rule: Rule, original_event: Any, transform_input: bool = True) -> None:
        targets = rule.targets
        topics = [target for target in targets if target["Arn"].split(":")[2] == "sns"]
        rule.targets = [target for target in targets if target not in topics]  # moto raises at what it cannot reach
        try:
            send(rule, original_event, transform_input)
        finally:
            rule.targets = targets
        if rule.event_pattern.matches_event(original_event):
            for target in topics:
                _, _, _, region, account, _ = target["Arn"].split(":")
                sns_backends[account][region].publish(_message(target, original_event), arn=target["Arn"])

    return send_to_targets


def _message(target: Mapping[str, Any], event: Any) -> str:
    """What a target is sent: its own constant input, its template filled in, or the event."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        raise NotImplementedError("InputPath")
    # moto's events have the time in seconds, those of AWS as text.
    time = iso_8601_datetime_without_milliseconds(utcfromtimestamp(event["time"]))
    template = target.get("InputTransformer", {})
    said = EventTemplateParser.parse(
        input_template=template.get("InputTemplate"),
        input_paths_map=template.get("InputPathsMap", {}),
        event=dict(event, time=time),  # type: ignore[arg-type]  # moto types its time as a number
    )
    return said if isinstance(said, str) else json.dumps(said)
