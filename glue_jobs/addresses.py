"""Addresses that are given from outside.

Belongs here: whether one can be asked at all. Does not: asking it.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_NEVER = re.compile(r"[^!-~]|[<>\[\](){}\"'`\\]")
"""What no address of ours has: it is no ASCII, or would end the link in which an alert or a page shows the address."""
_HOST = re.compile(r"([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")


def fault_of_address(address: str) -> str:
    """Why ``address`` is no http:// or https:// address, as the end of a sentence; empty if it is one.

    The sentence does not quote the address, which may be a secret.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no address: its host or port cannot be read"
    if parts.scheme not in ("http", "https"):
        return "does not begin with https:// or http://"
    is_ipv6 = ":" in host  # in brackets, or it would be a port
    if not is_ipv6 and not _HOST.fullmatch(host):
        return "names no host"
    return "has a character that no address has" if _NEVER.search(address.replace(f"[{host}]", "")) else ""
