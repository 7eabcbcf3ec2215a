"""The control plane of Redshift Serverless, as far as Terraform and a login need it; moto has none.

Belongs here: namespaces, workgroups, usage limits, their tags, who logs in. Does not: a database that answers
(``redshift``).
"""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from moto.secretsmanager.models import secretsmanager_backends

from taxi_assets_tests.emulators.environment import ACCOUNT, REGION
from taxi_assets_tests.emulators.recording import ApiCall

_Asked = dict[str, Any]
_PORT = 5439


class _Refused(Exception):
    """An error of the API: code and message."""


class RedshiftServerlessApi:
    """Answers a call with what boto3 shows, or with an error's ``__type`` and ``message``."""

    def __init__(self) -> None:
        self._namespaces: dict[str, _Asked] = {}
        self._workgroups: dict[str, _Asked] = {}
        self._limits: dict[str, _Asked] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._calls: Mapping[str, Callable[[_Asked], _Asked]] = {
            "CreateNamespace": self._create_namespace,
            "GetNamespace": lambda asked: {"namespace": _found(self._namespaces, asked, "namespaceName")},
            "ListNamespaces": lambda _: {"namespaces": list(self._namespaces.values())},
            "UpdateNamespace": self._update_namespace,
            "DeleteNamespace": self._delete_namespace,
            "CreateWorkgroup": self._create_workgroup,
            "GetWorkgroup": lambda asked: {"workgroup": _found(self._workgroups, asked, "workgroupName")},
            "ListWorkgroups": lambda _: {"workgroups": list(self._workgroups.values())},
            "UpdateWorkgroup": self._update_workgroup,
            "DeleteWorkgroup": self._delete_workgroup,
            "CreateUsageLimit": self._create_usage_limit,
            "GetUsageLimit": lambda asked: {"usageLimit": _found(self._limits, asked, "usageLimitId")},
            "ListUsageLimits": lambda _: {"usageLimits": list(self._limits.values())},
            "UpdateUsageLimit": self._update_usage_limit,
            "DeleteUsageLimit": self._delete_usage_limit,
            "GetCredentials": self._get_credentials,
            "ListTagsForResource": self._list_tags,
            "TagResource": self._tag,
            "UntagResource": self._untag,
        }

    def answer(self, call: ApiCall, asked: _Asked) -> _Asked:
        """What the call comes to."""
        try:
            if call.action not in self._calls:
                raise _Refused("ValidationException", f"{call.action} is not emulated")
            return self._calls[call.action](asked)
        except _Refused as refused:
            code, message = refused.args
            return {"__type": code, "message": message}

    # Namespaces.

    def _create_namespace(self, asked: _Asked) -> _Asked:
        name = asked["namespaceName"]
        if name in self._namespaces:
            raise _Refused("ConflictException", f"Namespace {name} already exists.")
        kept = ("namespaceName", "adminUsername", "dbName", "defaultIamRoleArn", "kmsKeyId", "logExports")
        namespace = {
            "kmsKeyId": "AWS_OWNED_KMS_KEY",
            **{field: asked[field] for field in kept if field in asked},
            **self._new("namespace"),
            "status": "AVAILABLE",
            "iamRoles": _shown_roles(asked.get("iamRoles", [])),
        }
        if asked.get("manageAdminPassword"):
            namespace["adminPasswordSecretArn"] = _keep_admin_password(name, asked.get("adminUsername", "admin"))
        self._namespaces[name] = namespace
        self._remember_tags(namespace["namespaceArn"], asked)
        return {"namespace": namespace}

    def _update_namespace(self, asked: _Asked) -> _Asked:
        namespace = _found(self._namespaces, asked, "namespaceName")
        kept = ("adminUsername", "defaultIamRoleArn", "kmsKeyId", "logExports")
        namespace.update({field: asked[field] for field in kept if field in asked})
        if "iamRoles" in asked:
            namespace["iamRoles"] = _shown_roles(asked["iamRoles"])
        return {"namespace": namespace}

    def _delete_namespace(self, asked: _Asked) -> _Asked:
        namespace = _found(self._namespaces, asked, "namespaceName")
        if any(group["namespaceName"] == asked["namespaceName"] for group in self._workgroups.values()):
            raise _Refused("ConflictException", "There is an existing workgroup associated with the namespace.")
        del self._namespaces[asked["namespaceName"]]
        if secret := namespace.get("adminPasswordSecretArn"):
            secretsmanager_backends[ACCOUNT][REGION].delete_secret(secret, None, True)
        return {"namespace": {**namespace, "status": "DELETING"}}

    # Workgroups.

    def _create_workgroup(self, asked: _Asked) -> _Asked:
        name = asked["workgroupName"]
        _found(self._namespaces, asked, "namespaceName")
        if name in self._workgroups:
            raise _Refused("ConflictException", f"Workgroup {name} already exists.")
        _check_capacity(asked)
        host = f"{name}.{ACCOUNT}.{REGION}.redshift-serverless.amazonaws.com"
        workgroup = {
            "trackName": "current",
            "enhancedVpcRouting": False,
            "publiclyAccessible": False,
            **{field: value for field, value in asked.items() if field != "tags"},
            **self._new("workgroup"),
            "status": "AVAILABLE",
            "port": asked.get("port", _PORT),
            "endpoint": {"address": host, "port": asked.get("port", _PORT), "vpcEndpoints": []},
        }
        self._workgroups[name] = workgroup
        self._remember_tags(workgroup["workgroupArn"], asked)
        return {"workgroup": workgroup}

    def _update_workgroup(self, asked: _Asked) -> _Asked:
        workgroup = _found(self._workgroups, asked, "workgroupName")
        _check_capacity({**workgroup, **asked})
        workgroup.update(asked)
        return {"workgroup": workgroup}

    def _delete_workgroup(self, asked: _Asked) -> _Asked:
        workgroup = _found(self._workgroups, asked, "workgroupName")
        del self._workgroups[asked["workgroupName"]]
        return {"workgroup": {**workgroup, "status": "DELETING"}}

    def _get_credentials(self, asked: _Asked) -> _Asked:
        """A user that no database knows."""
        _found(self._workgroups, asked, "workgroupName")
        until = time.time() + asked.get("durationSeconds", 900)
        return {"dbUser": "IAMR:nobody", "dbPassword": secrets.token_hex(16), "expiration": until}

    # Usage limits.

    def _create_usage_limit(self, asked: _Asked) -> _Asked:
        fields = {field: value for field, value in asked.items() if field != "tags"}
        named = self._new("usageLimit", "usagelimit")
        del named["creationDate"]
        self._limits[named["usageLimitId"]] = {"breachAction": "log", "period": "monthly", **fields, **named}
        return {"usageLimit": self._limits[named["usageLimitId"]]}

    def _update_usage_limit(self, asked: _Asked) -> _Asked:
        limit = _found(self._limits, asked, "usageLimitId")
        limit.update(asked)
        return {"usageLimit": limit}

    def _delete_usage_limit(self, asked: _Asked) -> _Asked:
        limit = _found(self._limits, asked, "usageLimitId")
        del self._limits[asked["usageLimitId"]]
        return {"usageLimit": limit}

    # Tags.

    def _list_tags(self, asked: _Asked) -> _Asked:
        tags = self._tags.get(asked["resourceArn"], {})
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    def _tag(self, asked: _Asked) -> _Asked:
        self._remember_tags(asked["resourceArn"], asked)
        return {}

    def _untag(self, asked: _Asked) -> _Asked:
        for key in asked["tagKeys"]:
            self._tags.get(asked["resourceArn"], {}).pop(key, None)
        return {}

    def _remember_tags(self, arn: str, asked: _Asked) -> None:
        self._tags.setdefault(arn, {}).update({tag["key"]: tag["value"] for tag in asked.get("tags", [])})

    def _new(self, kind: str, in_arn: str = "") -> _Asked:
        """Identifier, ARN and date of something new."""
        identifier = str(uuid.uuid4())
        return {
            f"{kind}Id": identifier,
            f"{kind}Arn": f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}:{in_arn or kind}/{identifier}",
            "creationDate": datetime.now(timezone.utc).isoformat(),
        }


def _found(kept: Mapping[str, _Asked], asked: _Asked, field: str) -> _Asked:
    if asked[field] not in kept:
        raise _Refused("ResourceNotFoundException", f"{field} {asked[field]} not found")
    return kept[asked[field]]


def _check_capacity(workgroup: _Asked) -> None:
    base, most = workgroup.get("baseCapacity"), workgroup.get("maxCapacity")
    if base and most and base > most:
        raise _Refused("ValidationException", "The base capacity is above the maximum capacity.")


def _shown_roles(arns: list[str]) -> list[str]:
    """The form in which the API shows them."""
    return [f"IamRole(applyStatus=in-sync, iamRoleArn={arn})" for arn in arns]


def _keep_admin_password(namespace: str, user: str) -> str:
    """Make the secret that Redshift keeps for the administrator; its ARN."""
    secret = secretsmanager_backends[ACCOUNT][REGION].create_managed_secret(
        service_name="redshift",
        secret_id=f"redshift!{namespace}-{user}",
        secret_string=json.dumps({"username": user, "password": secrets.token_hex(16)}),
    )
    return str(secret.arn)
