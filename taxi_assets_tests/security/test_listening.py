"""Who does not ask for more is heard by this machine alone."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from taxi_assets.cli.main import main


def is_heard_beyond_loopback(address: str) -> bool:
    """Whether the port is open on 127.0.0.2, as one of all addresses is and one of 127.0.0.1 is not (Linux)."""
    try:
        socket.create_connection(("127.0.0.2", urlsplit(address).port or 0)).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize(("command", "option"), [("ui", "-h"), ("dashboard", "--host")])
def test_pages_listen_on_loopback_unless_another_address_is_asked_for(
    command: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda _, arguments, __: begun.append(arguments))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    asked = "0.0.0.0"  # noqa: S104 -- it is asked for
    for host in ([], ["--host", asked]):
        CliRunner().invoke(main, [command, "--lake", str(tmp_path), "--port", port, *host])
    assert [arguments[arguments.index(option) + 1] for arguments in begun] == ["127.0.0.1", asked]


def test_the_embedded_engine_listens_on_loopback(engine: str) -> None:
    socket.create_connection(("127.0.0.1", urlsplit(engine).port or 0)).close()
    assert not is_heard_beyond_loopback(engine)


def test_a_port_of_all_addresses_would_be_noticed() -> None:
    with socket.create_server(("", 0)) as everywhere:
        assert is_heard_beyond_loopback(f"http://127.0.0.1:{everywhere.getsockname()[1]}")
