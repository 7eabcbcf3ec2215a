"""A signed link opens one object of the lake, to read it, for a week, and nothing else."""

from __future__ import annotations

import hashlib
import hmac
from functools import reduce
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from taxi_assets.aws.client import presigned_url
from taxi_assets_tests.emulators.environment import REGION

KEY, SECRET = "the-id-of-a-key", "the-secret-of-the-key"
REPORT = "s3://lake-bucket/reports/month=2024-02/20240315T101500Z-1a2b3c4d.html"
WEEK = 7 * 24 * 3600


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return presigned_url(REGION, REPORT, "text/html; charset=utf-8")


def signature(link: str, method: str = "GET", path: str | None = None, **changed: str) -> str:
    """What S3 computes of a request before it answers it: AWS's signature of version 4, in a query."""
    parts = urlsplit(link)
    query = {**dict(parse_qsl(parts.query)), **changed}
    query.pop("X-Amz-Signature")
    day, region, service, end = query["X-Amz-Credential"].split("/")[1:]
    request = "\n".join(
        (
            method,
            path or parts.path,
            urlencode(sorted(query.items()), quote_via=quote, safe="-_.~"),
            f"host:{parts.netloc}\n",
            query["X-Amz-SignedHeaders"],
            "UNSIGNED-PAYLOAD",
        )
    )
    scope = f"{day}/{region}/{service}/{end}"
    to_sign = (query["X-Amz-Algorithm"], query["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest())
    key = reduce(
        lambda key, part: hmac.new(key, part.encode(), "sha256").digest(), scope.split("/"), f"AWS4{SECRET}".encode()
    )
    return hmac.new(key, "\n".join(to_sign).encode(), "sha256").hexdigest()


def test_it_ends_after_a_week_and_has_the_id_of_the_key_but_not_the_key(link: str) -> None:
    query = dict(parse_qsl(urlsplit(link).query))
    assert int(query["X-Amz-Expires"]) == WEEK
    assert query["X-Amz-Credential"].startswith(f"{KEY}/")
    assert SECRET not in link


def test_the_signature_is_of_one_object_one_method_and_one_end(link: str) -> None:
    signed = dict(parse_qsl(urlsplit(link).query))["X-Amz-Signature"]
    assert signed == signature(link)
    others = [
        signature(link, path="/reports/month%3D2024-02/another.html"),
        signature(link, path="/"),
        signature(link, method="PUT"),
        signature(link, method="DELETE"),
        signature(link, **{"X-Amz-Expires": str(WEEK * 100)}),
        signature(link, **{"response-content-type": "text/plain"}),
    ]
    assert signed not in others
