"""Secrets in addresses: those that people give are kept with each month, and errors repeat where a request went.

Belongs here: what no address may have, and what of an error's text may be shown. Does not: asking an address.
"""

from __future__ import annotations

import re

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
