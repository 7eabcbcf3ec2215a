"""API calls that moto lacks and Terraform makes: budgets, anomaly detection, composite alarms, and a few of others.

Belongs here: such calls, each remembered as long as the emulator lives. Does not: calls that moto answers otherwise
than AWS does (``true_answers``), Redshift Serverless (``redshift_serverless_api``), Glue's job runs (``glue_api``).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.budgets.exceptions import NotFoundException
from moto.budgets.responses import BudgetsResponse
from moto.ce.responses import CostExplorerResponse
from moto.cloudwatch.responses import CloudWatchResponse
from moto.glue.exceptions import EntityNotFoundException
from moto.glue.responses import GlueResponse
from moto.logs.responses import LogsResponse

from taxi_assets_tests.emulators.environment import ACCOUNT

_Calls = Mapping[str, Callable[[Any], Any]]
"""The methods that moto calls for each API call, by the names that it looks for."""


@contextmanager
def missing_calls() -> Iterator[None]:
    """Let moto answer them, until the end of the block."""
    # A composite alarm is an alarm with a rule: moto keeps and shows it, but has no call that makes it.
    composite_alarms = {"put_composite_alarm": CloudWatchResponse.put_metric_alarm}
    added: dict[type, _Calls] = {
        BudgetsResponse: _budget_calls(BudgetsResponse.create_budget, BudgetsResponse.delete_budget),
        CostExplorerResponse: _anomaly_calls(),
        CloudWatchResponse: composite_alarms,
        GlueResponse: _optimizer_calls(),
        LogsResponse: _query_definition_calls(),
        ApplicationAutoScalingResponse: _scaling_tag_calls(ApplicationAutoScalingResponse.register_scalable_target),
    }
    with ExitStack() as stack:
        for response, calls in added.items():
            stack.enter_context(patch.multiple(response, create=True, **dict[str, Any](calls)))
        yield


class _Tags:
    """Key and value by ARN."""

    def __init__(self) -> None:
        self._by_arn: dict[str, dict[str, str]] = {}

    def put(self, arn: str, tags: Mapping[str, str]) -> None:
        self._by_arn[arn] = {**self.of(arn), **tags}

    def remove(self, arn: str, keys: list[str]) -> None:
        self._by_arn[arn] = {key: value for key, value in self.of(arn).items() if key not in keys}

    def forget(self, arn: str) -> None:
        self._by_arn.pop(arn, None)

    def of(self, arn: str) -> dict[str, str]:
        return self._by_arn.get(arn, {})


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _from_pairs(pairs: list[dict[str, str]] | None) -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in pairs or []}


def _asked(response: Any) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(response.body or b"{}")
    return asked


def _budget_calls(create: Any, delete: Any) -> _Calls:
    """Who is told of a budget, and its tags."""
    tags = _Tags()

    def arn(asked: Mapping[str, Any], name: str) -> str:
        return f"arn:aws:budgets::{asked['AccountId']}:budget/{name}"

    def create_budget(response: BudgetsResponse) -> str:
        asked, answer = _asked(response), create(response)
        tags.put(arn(asked, asked["Budget"]["BudgetName"]), _from_pairs(asked.get("ResourceTags")))
        return str(answer)

    def delete_budget(response: BudgetsResponse) -> str:
        asked, answer = _asked(response), delete(response)
        tags.forget(arn(asked, asked["BudgetName"]))
        return str(answer)

    def update_budget(response: BudgetsResponse) -> str:
        asked = _asked(response)
        budget = response.backend.budgets[asked["AccountId"]][asked["NewBudget"]["BudgetName"]]
        budget.budget = {"TimePeriod": budget.budget["TimePeriod"], **asked["NewBudget"]}
        return "{}"

    def describe_subscribers_for_notification(response: BudgetsResponse) -> str:
        asked = _asked(response)
        for notification in response.backend.budgets[asked["AccountId"]][asked["BudgetName"]].notifications:
            if _names(notification.details) == _names(asked["Notification"]):
                return json.dumps({"Subscribers": notification.subscribers})
        raise NotFoundException("Unable to get subscribers: the notification doesn't exist.")

    def list_tags_for_resource(response: BudgetsResponse) -> str:
        return json.dumps({"ResourceTags": _pairs(tags.of(_asked(response)["ResourceARN"]))})

    def tag_resource(response: BudgetsResponse) -> str:
        asked = _asked(response)
        tags.put(asked["ResourceARN"], _from_pairs(asked["ResourceTags"]))
        return "{}"

    def untag_resource(response: BudgetsResponse) -> str:
        asked = _asked(response)
        tags.remove(asked["ResourceARN"], asked["ResourceTagKeys"])
        return "{}"

    return _named(
        create_budget,
        delete_budget,
        update_budget,
        describe_subscribers_for_notification,
        list_tags_for_resource,
        tag_resource,
        untag_resource,
    )


def _names(notification: Mapping[str, Any]) -> tuple[str, str, float, str]:
    """What tells a budget's notification from its others: state and defaults are not sent each time."""
    kind = notification.get("ThresholdType", "PERCENTAGE")
    return notification["NotificationType"], notification["ComparisonOperator"], float(notification["Threshold"]), kind


def _anomaly_calls() -> _Calls:
    """Cost anomaly detection: what is watched, and who is told."""
    monitors: dict[str, dict[str, Any]] = {}
    subscriptions: dict[str, dict[str, Any]] = {}

    def keep(response: CostExplorerResponse, kept: dict[str, dict[str, Any]], kind: str, **more: str) -> str:
        asked = _asked(response)
        arn = f"arn:aws:ce::{ACCOUNT}:anomaly{kind.lower()}/{uuid.uuid4()}"
        kept[arn] = {**asked[f"Anomaly{kind}"], **more, f"{kind}Arn": arn}
        response.ce_backend.tag_resource(arn, asked.get("ResourceTags") or [])
        return json.dumps({f"{kind}Arn": arn})

    def show(response: CostExplorerResponse, kept: dict[str, dict[str, Any]], kind: str) -> str:
        wanted = _asked(response).get(f"{kind}ArnList") or list(kept)
        return json.dumps({f"Anomaly{kind}s": [kept[arn] for arn in wanted if arn in kept]})

    def change(response: CostExplorerResponse, kept: dict[str, dict[str, Any]], kind: str) -> str:
        asked = _asked(response)
        kept[asked[f"{kind}Arn"]].update(asked)
        return json.dumps({f"{kind}Arn": asked[f"{kind}Arn"]})

    def create_anomaly_monitor(response: CostExplorerResponse) -> str:
        return keep(response, monitors, "Monitor")

    def get_anomaly_monitors(response: CostExplorerResponse) -> str:
        return show(response, monitors, "Monitor")

    def update_anomaly_monitor(response: CostExplorerResponse) -> str:
        return change(response, monitors, "Monitor")

    def delete_anomaly_monitor(response: CostExplorerResponse) -> str:
        del monitors[_asked(response)["MonitorArn"]]
        return "{}"

    def create_anomaly_subscription(response: CostExplorerResponse) -> str:
        return keep(response, subscriptions, "Subscription", AccountId=ACCOUNT)

    def get_anomaly_subscriptions(response: CostExplorerResponse) -> str:
        return show(response, subscriptions, "Subscription")

    def update_anomaly_subscription(response: CostExplorerResponse) -> str:
        return change(response, subscriptions, "Subscription")

    def delete_anomaly_subscription(response: CostExplorerResponse) -> str:
        del subscriptions[_asked(response)["SubscriptionArn"]]
        return "{}"

    return _named(
        create_anomaly_monitor,
        get_anomaly_monitors,
        update_anomaly_monitor,
        delete_anomaly_monitor,
        create_anomaly_subscription,
        get_anomaly_subscriptions,
        update_anomaly_subscription,
        delete_anomaly_subscription,
    )


def _optimizer_calls() -> _Calls:
    """Glue's maintenance of Iceberg tables: remembered, not carried out."""
    optimizers: dict[tuple[str, str, str], dict[str, Any]] = {}

    def key(response: GlueResponse) -> tuple[str, str, str]:
        asked = _asked(response)
        return asked["DatabaseName"], asked["TableName"], asked["Type"]

    def create_table_optimizer(response: GlueResponse) -> str:
        optimizers[key(response)] = _asked(response)["TableOptimizerConfiguration"]
        return "{}"

    def get_table_optimizer(response: GlueResponse) -> str:
        database, table, kind = key(response)
        if (database, table, kind) not in optimizers:
            raise EntityNotFoundException(f"{database}.{table} has no optimizer {kind}.")
        shown = {"type": kind, "configuration": optimizers[database, table, kind]}
        return json.dumps({"CatalogId": ACCOUNT, "DatabaseName": database, "TableName": table, "TableOptimizer": shown})

    def delete_table_optimizer(response: GlueResponse) -> str:
        optimizers.pop(key(response), None)
        return "{}"

    calls = _named(create_table_optimizer, get_table_optimizer, delete_table_optimizer)
    return {**calls, "update_table_optimizer": create_table_optimizer}


def _query_definition_calls() -> _Calls:
    """Saved queries of CloudWatch Logs Insights."""
    definitions: dict[str, dict[str, Any]] = {}

    def put_query_definition(response: LogsResponse) -> str:
        asked = _asked(response)
        identifier = asked.get("queryDefinitionId") or str(uuid.uuid4())
        definitions[identifier] = {**asked, "queryDefinitionId": identifier}
        return json.dumps({"queryDefinitionId": identifier})

    def describe_query_definitions(response: LogsResponse) -> str:
        prefix = _asked(response).get("queryDefinitionNamePrefix") or ""
        found = [one for one in definitions.values() if one["name"].startswith(prefix)]
        return json.dumps({"queryDefinitions": found})

    def delete_query_definition(response: LogsResponse) -> str:
        return json.dumps({"success": definitions.pop(_asked(response)["queryDefinitionId"], None) is not None})

    return _named(put_query_definition, describe_query_definitions, delete_query_definition)


def _scaling_tag_calls(register: Any) -> _Calls:
    """Tags of what Application Auto Scaling scales."""
    tags = _Tags()

    def register_scalable_target(response: ApplicationAutoScalingResponse) -> str:
        answer = str(register(response))
        tags.put(json.loads(answer)["ScalableTargetARN"], _asked(response).get("Tags") or {})
        return answer

    def list_tags_for_resource(response: ApplicationAutoScalingResponse) -> str:
        return json.dumps({"Tags": tags.of(_asked(response)["ResourceARN"])})

    def tag_resource(response: ApplicationAutoScalingResponse) -> str:
        asked = _asked(response)
        tags.put(asked["ResourceARN"], asked["Tags"])
        return "{}"

    def untag_resource(response: ApplicationAutoScalingResponse) -> str:
        asked = _asked(response)
        tags.remove(asked["ResourceARN"], asked["TagKeys"])
        return "{}"

    return _named(register_scalable_target, list_tags_for_resource, tag_resource, untag_resource)


def _named(*methods: Callable[[Any], Any]) -> _Calls:
    return {method.__name__: method for method in methods}
