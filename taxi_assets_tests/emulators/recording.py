"""Which API calls were made, by whom and on what: read from the requests themselves.

Belongs here: telling role, service, operation and resource from a request, and the IAM actions that an operation
needs. Does not: answering requests (``server``), misbehaving (``faults``), refusing (``authorization``).
"""

from __future__ import annotations

import html
import io
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

from taxi_assets_tests.emulators.environment import Role
from taxi_assets_tests.emulators.iam_roles import session_of

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_CBOR_OPERATION = re.compile(r"^/service/[^/]+/operation/(\w+)$")  # CloudWatch's protocol since botocore 1.41
_ROLES = frozenset(role.value for role in Role)
_IAM_PREFIXES = {"monitoring": "cloudwatch", "email": "ses"}
"""Where the name that a service signs with is not the one of its IAM actions."""

_IAM_ACTIONS = {
    ("sns", "PublishBatch"): "Publish",
    ("sqs", "ChangeMessageVisibilityBatch"): "ChangeMessageVisibility",
    ("sqs", "DeleteMessageBatch"): "DeleteMessage",
    ("sqs", "SendMessageBatch"): "SendMessage",
}
"""Those operations, but for S3's, whose IAM action has another name."""

_S3_IAM_ACTIONS = {
    "HeadObject": ("s3:GetObject",),
    "PutObject": ("s3:PutObject",),
    "CreateMultipartUpload": ("s3:PutObject",),
    "UploadPart": ("s3:PutObject",),
    "CompleteMultipartUpload": ("s3:PutObject",),
    "ListParts": ("s3:ListMultipartUploadParts",),
    "CopyObject": ("s3:PutObject", "s3:GetObject"),
    "UploadPartCopy": ("s3:PutObject", "s3:GetObject"),
    "DeleteObjects": ("s3:DeleteObject",),
    "HeadBucket": ("s3:ListBucket",),
    "ListObjects": ("s3:ListBucket",),
    "ListObjectsV2": ("s3:ListBucket",),
    "ListObjectVersions": ("s3:ListBucketVersions",),
    "ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "ListBuckets": ("s3:ListAllMyBuckets",),
    "GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration",),
    "PutBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
    "GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
    "PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
    "PutPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
}
"""Those of S3."""

_BUCKET_SUBRESOURCES = {
    "acl": "BucketAcl",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "notification": "BucketNotificationConfiguration",
    "policy": "BucketPolicy",
    "publicAccessBlock": "PublicAccessBlock",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
}
_OBJECT_SUBRESOURCES = {"acl": "ObjectAcl", "attributes": "ObjectAttributes", "tagging": "ObjectTagging"}
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}


@dataclass(frozen=True)
class ApiCall:
    """One call: ``ApiCall("dagster", "glue", "UpdateTable", "taxi_curated.daily_metrics")``.

    The resource of an S3 call is ``s3://bucket/key``, for a listing with the prefix in the key's place. ``others``
    are a copy's source, and the further keys of a DeleteObjects. The role of a session of an IAM role is that role's
    name.
    """

    role: str
    service: str
    action: str
    resource: str = ""
    others: tuple[str, ...] = ()

    @property
    def iam_actions(self) -> tuple[str, ...]:
        """The IAM actions that a policy must allow for this call."""
        if self.service == "s3":
            return _S3_IAM_ACTIONS.get(self.action, (f"s3:{self.action}",))
        action = _IAM_ACTIONS.get((self.service, self.action), self.action)
        return (f"{_IAM_PREFIXES.get(self.service, self.service)}:{action}",)

    @property
    def permissions(self) -> tuple[tuple[str, str], ...]:
        """Each IAM action with the resource that it is needed on."""
        first, *rest = self.iam_actions
        if rest:  # a copy reads another object than it writes
            return ((first, self.resource), *((rest[0], source) for source in self.others))
        return tuple((first, resource) for resource in (self.resource, *self.others))


class CallLog:
    """All calls since the start, or since ``clear``, in the order of their arrival."""

    def __init__(self) -> None:
        self._entries: list[ApiCall] = []
        self._lock = threading.Lock()

    @property
    def entries(self) -> list[ApiCall]:
        """A copy of what was recorded so far."""
        with self._lock:
            return list(self._entries)

    def add(self, call: ApiCall) -> None:
        """Record one."""
        with self._lock:
            self._entries.append(call)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._entries.clear()


@dataclass(frozen=True)
class Signature:
    """Who has signed a request, for what."""

    access_key_id: str
    region: str
    service: str


def signature_of(environ: dict[str, Any]) -> Signature | None:
    """The signature of a WSGI request, in its head or in its address."""
    signed = _CREDENTIAL.search(
        environ.get("HTTP_AUTHORIZATION") or f"Credential={query_of(environ).get('X-Amz-Credential', '')}"
    )
    return Signature(*signed.groups()) if signed else None


def query_of(environ: dict[str, Any]) -> dict[str, str]:
    """The parameters in a request's address."""
    return dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))


def describe(environ: dict[str, Any]) -> ApiCall | None:
    """The call that a WSGI request is; None if nobody of ours signed it, as moto's own endpoints.

    A body that had to be read is put back.
    """
    signed = signature_of(environ)
    role = _role_of(signed.access_key_id) if signed else None
    if signed is None or role is None:
        return None
    service = signed.service
    if service == "s3":
        return _s3_call(role, environ, query_of(environ))
    target, path = environ.get("HTTP_X_AMZ_TARGET", ""), environ.get("PATH_INFO", "")
    if target:
        return ApiCall(role, service, target.rpartition(".")[2], _json_resource(body_of(environ)))
    if cbor := _CBOR_OPERATION.match(path):
        return ApiCall(role, service, cbor[1])
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = {name: values[0] for name, values in parse_qs(body_of(environ).decode()).items()}
        return ApiCall(role, service, form.get("Action", ""), form.get("TopicArn", form.get("RoleArn", "")))
    return ApiCall(role, service, f"{environ['REQUEST_METHOD']} {path}")


def _role_of(access_key_id: str) -> str | None:
    if access_key_id in _ROLES:
        return access_key_id
    session = session_of(access_key_id)
    return session.role if session else None


def body_of(environ: dict[str, Any]) -> bytes:
    """The body of a request, which is put back."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _json_resource(body: bytes) -> str:
    """``database.table``, a job's or queue's name, a log group with its stream: whatever the parameters name."""
    given = json.loads(body or b"{}")
    table_input = given.get("TableInput") or given.get("DatabaseInput") or {}
    name = given.get("JobName") or given.get("TableName") or given.get("Name") or table_input.get("Name", "")
    if "DatabaseName" in given:
        return f"{given['DatabaseName']}.{name}" if name else str(given["DatabaseName"])
    if "QueueUrl" in given:
        return str(given["QueueUrl"]).rpartition("/")[2]
    if "logGroupName" in given:
        return ":".join(given[part] for part in ("logGroupName", "logStreamName") if part in given)
    return str(name or given.get("SecretId") or given.get("workgroupName") or given.get("ResourceArn") or "")


def _s3_call(role: str, environ: dict[str, Any], query: Mapping[str, str]) -> ApiCall:
    method = environ["REQUEST_METHOD"]
    # WSGI hands the path over decoded, its UTF-8 bytes as Latin-1 characters.
    bucket, _, key = environ.get("PATH_INFO", "").encode("latin-1").decode().lstrip("/").partition("/")
    source = unquote(environ.get("HTTP_X_AMZ_COPY_SOURCE", "")).partition("?")[0].lstrip("/")
    if not bucket:
        return ApiCall(role, "s3", "ListBuckets")
    if key:
        action = _object_action(method, query, bool(source))
        return ApiCall(role, "s3", action, f"s3://{bucket}/{key}", (f"s3://{source}",) if source else ())
    action = _bucket_action(method, query)
    if action == "DeleteObjects":
        keys = re.findall(r"<Key>(.*?)</Key>", body_of(environ).decode())
        first, *others = [f"s3://{bucket}/{html.unescape(key)}" for key in keys] or [f"s3://{bucket}"]
        return ApiCall(role, "s3", action, first, tuple(others))
    prefix = query.get("prefix", "") if action.startswith("List") else ""
    return ApiCall(role, "s3", action, f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}")


def _bucket_action(method: str, query: Mapping[str, str]) -> str:
    named = next((name for part, name in _BUCKET_SUBRESOURCES.items() if part in query), None)
    if named and method in _VERBS:
        return _VERBS[method] + named
    if method == "GET":
        listings = {"uploads": "ListMultipartUploads", "versions": "ListObjectVersions", "list-type": "ListObjectsV2"}
        return next((name for part, name in listings.items() if part in query), "ListObjects")
    return {"PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket", "POST": "DeleteObjects"}.get(
        method, method
    )


def _object_action(method: str, query: Mapping[str, str], copies: bool) -> str:
    named = next((name for part, name in _OBJECT_SUBRESOURCES.items() if part in query), None)
    if named and method in _VERBS:
        return _VERBS[method] + named
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if "uploadId" in query:
        part = "UploadPartCopy" if copies else "UploadPart"
        return {"PUT": part, "GET": "ListParts", "DELETE": "AbortMultipartUpload"}.get(method, method)
    if copies:
        return "CopyObject"
    named = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}.get(method)
    return named or method
