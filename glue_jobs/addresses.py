"""Addresses that are given from outside: whether one can be asked, and secrets in them.

Belongs here: what no address may have, and what of an error's text may be shown. Does not: asking an address.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_NEVER = re.compile(r"[^!-~]|[<>\[\](){}\"'`\\]")
"""What no address of ours has: it is no ASCII, or would end the link in which an alert or a page shows the address."""
_HOST = re.compile(r"([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_LOGIN = re.compile(r"://[^/?#\s]*@")
_PARAMETERS = re.compile(r"\?[\w%.-]+=[^\s)'\"]*")
NOT_IN_AN_ADDRESS = (
    "an address must not have a name or password in it, because it is kept with each month and shown; "
    "for a site that asks for them, put them into ~/.netrc"
)
"""What is said of one. requests, and so the source, finds a host's login in ~/.netrc, or where NETRC says."""


def has_password(address: str) -> bool:
    """Whether an address has what stands before a host: ``https://name:password@host``."""
    return _LOGIN.search(address) is not None


def without_secrets(text: str) -> str:
    """``text`` without logins and parameters of the addresses in it: a proxy's password, the signature of a link."""
    return _PARAMETERS.sub("?…", _LOGIN.sub("://", text))


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
