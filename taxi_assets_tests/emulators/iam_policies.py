"""What IAM policies allow, told from their documents alone.

Belongs here: statements, wildcards and conditions, as far as this project's policies use them. Does not: whose policies
they are (``iam_roles``), which actions and resources a call needs (``authorization``).

What is not understood raises ``UnsupportedPolicy`` where it would decide: silence must not allow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any

Policy = Mapping[str, Any] | str
"""A document, or its JSON."""
Context = Mapping[str, str | Sequence[str]]
"""Values of a request by condition key."""

_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:requestedregion",
        "aws:resourceaccount",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
        "cloudwatch:namespace",
        "ecs:createaction",
        "iam:passedtoservice",
        "s3:prefix",
    }
)
_PRINCIPAL_TAG = "aws:principaltag/"
_IF_EXISTS, _ANY = "IfExists", "ForAnyValue:"


class UnsupportedPolicy(Exception):
    """A policy says something that this evaluation does not know."""


class Decision(Enum):
    """What policies say of a request."""

    ALLOWED = "allowed"
    DENIED = "denied by a statement"
    NOT_ALLOWED = "allowed by no statement"


def allowed(policies: Iterable[Policy], action: str, resource_arn: str, context: Context | None = None) -> bool:
    """Whether the policies together allow ``action`` on ``resource_arn`` (``*`` for an action that has none)."""
    return decide(policies, action, resource_arn, context) is Decision.ALLOWED


def decide(policies: Iterable[Policy], action: str, resource_arn: str, context: Context | None = None) -> Decision:
    """What the policies together say: a Deny outweighs every Allow."""
    given = {key.lower(): value for key, value in (context or {}).items()}
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in _statements(policy)
        if _applies(statement, action, resource_arn, given)
    }
    if "Deny" in effects:
        return Decision.DENIED
    return Decision.ALLOWED if "Allow" in effects else Decision.NOT_ALLOWED


def _statements(policy: Policy) -> list[Mapping[str, Any]]:
    document = json.loads(policy) if isinstance(policy, str) else policy
    return _list(document["Statement"])


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    for element in ("NotAction", "NotResource", "Principal", "NotPrincipal"):
        if element in statement:
            raise UnsupportedPolicy(f"{element} in a statement of an identity's policy")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise UnsupportedPolicy(f"the effect {statement['Effect']}")
    return (
        any(_like(pattern.lower(), action.lower()) for pattern in _list(statement["Action"]))
        and any(_like(pattern, resource) for pattern in _list(statement["Resource"]))
        and all(
            _holds(operator, key, _list(values), context)
            for operator, tests in statement.get("Condition", {}).items()
            for key, values in tests.items()
        )
    )


def _holds(operator: str, key: str, wanted: list[Any], context: Context) -> bool:
    """One test of a condition. What a request does not say fulfils only a negated test, or one with IfExists."""
    if key.lower() not in _KEYS and not key.lower().startswith(_PRINCIPAL_TAG):
        raise UnsupportedPolicy(f"the condition key {key}")
    name = operator.removeprefix(_ANY).removesuffix(_IF_EXISTS)
    if name not in _OPERATORS:
        raise UnsupportedPolicy(f"the condition operator {operator}")
    negated, matches = _OPERATORS[name]
    if key.lower() not in context:
        return (negated and not operator.startswith(_ANY)) or operator.endswith(_IF_EXISTS)
    patterns = [str(value).lower() if isinstance(value, bool) else str(value) for value in wanted]
    values = _list(context[key.lower()])
    if len(values) != 1 and not operator.startswith(_ANY):
        raise UnsupportedPolicy(f"{operator} on {key}, which has several values")
    return any(any(matches(pattern, value) for pattern in patterns) != negated for value in values)


def _list(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | bool | Mapping) else list(value)


def _like(pattern: str, text: str) -> bool:
    """Whether ``text`` is what ``pattern`` says: ``*`` is any characters, ``?`` is one."""
    return _expression(pattern).fullmatch(text) is not None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    if "${" in pattern:
        raise UnsupportedPolicy(f"the policy variable in {pattern}")
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(character) or re.escape(character) for character in pattern), re.DOTALL)


def _arn_like(pattern: str, arn: str) -> bool:
    """Each of the six parts of an ARN for itself."""
    parts, given = pattern.split(":", 5), arn.split(":", 5)
    return len(parts) == len(given) == 6 and all(map(_like, parts, given))


def _equal(pattern: str, value: str) -> bool:
    if "${" in pattern:
        raise UnsupportedPolicy(f"the policy variable in {pattern}")
    return pattern == value


def _same_truth(pattern: str, value: str) -> bool:
    return pattern.lower() == value.lower()


_OPERATORS: Mapping[str, tuple[bool, Callable[[str, str], bool]]] = {
    "StringEquals": (False, _equal),
    "StringNotEquals": (True, _equal),
    "StringLike": (False, _like),
    "StringNotLike": (True, _like),
    "ArnLike": (False, _arn_like),
    "ArnEquals": (False, _arn_like),
    "Bool": (False, _same_truth),
}
"""Whether it is a negation, and the test of one wanted with one given value."""
