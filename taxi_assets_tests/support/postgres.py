"""A running Postgres for tests: its start, its databases, its end.

Belongs here: a server as strict as production's, with TLS and passwords. Does not: Dagster, or tests.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.exc import OperationalError

from taxi_assets_tests.support.waiting import wait_until

HOST = "127.0.0.1"
USER = "dagster"
PASSWORD = "p@ss/w:rd %41 'x"
"""With all that a URL has to escape."""
ADMIN = "postgres"
_DEBIAN = Path("/usr/lib/postgresql")


class Postgres:
    """The server at ``port``. Who connects has TLS and a password, or is refused."""

    def __init__(self, port: int, admin_password: str) -> None:
        self.port = port
        self._admin_password = admin_password
        self._admin = sqlalchemy.create_engine(
            sqlalchemy.URL.create(
                "postgresql+psycopg2", ADMIN, admin_password, HOST, port, ADMIN, query={"sslmode": "require"}
            ),
            isolation_level="AUTOCOMMIT",
            poolclass=sqlalchemy.NullPool,
        )

    def refusal(self) -> OperationalError | None:
        """Why it cannot be asked yet; None if it can."""
        try:
            self.execute("SELECT 1")
        except OperationalError as error:
            return error
        return None

    def execute(self, sql: str) -> None:
        """Run ``sql`` as the administrator."""
        with self._admin.connect() as connection:
            connection.exec_driver_sql(sql)

    @contextmanager
    def refusing_connections(self) -> Iterator[None]:
        """Nobody but the administrator gets in meanwhile."""
        self.execute(f"ALTER ROLE {USER} NOLOGIN")
        try:
            yield
        finally:
            self.execute(f"ALTER ROLE {USER} LOGIN")

    @property
    def admin_password(self) -> str:
        """Of the account ``ADMIN``."""
        return self._admin_password

    def new_database(self) -> dict[str, str]:
        """The variables by which a Dagster instance finds a new, empty database, that ``USER`` owns."""
        name = f"dagster_{secrets.token_hex(4)}"
        self.execute(f"CREATE DATABASE {name} OWNER {USER}")
        return {
            "DAGSTER_PG_HOST": HOST,
            "DAGSTER_PG_PORT": str(self.port),
            "DAGSTER_PG_USERNAME": USER,
            "DAGSTER_PG_PASSWORD": PASSWORD,
            "DAGSTER_PG_DB": name,
        }


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server with a new data folder on a free port of this machine; the test is skipped if none is installed."""
    programs = _programs()
    if programs is None:
        # Postgres comes by no pip, and a laptop needs none; CI installs it, and takes a skip for a failure.
        pytest.skip("Postgres is not installed: apt-get install postgresql")
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # not one of pytest's, which are for its own account alone
    try:
        admin_password = secrets.token_hex(16)
        (folder / "password").write_text(admin_password)
        write_certificate(folder / "server.crt", folder / "server.key")
        for path in (folder, *folder.iterdir()):
            if account:
                shutil.chown(path, account["user"], account["group"])
        data = folder / "data"
        command = [str(programs / "initdb"), "-D", str(data), "-U", ADMIN, f"--pwfile={folder / 'password'}"]
        subprocess.run(
            [*command, "-A", "scram-sha-256", "--locale=C", "--encoding=UTF8", "--no-sync"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            **account,
        )
        (data / "pg_hba.conf").write_text(f"hostssl all all {HOST}/32 scram-sha-256\n")
        with socket.socket() as free:
            free.bind((HOST, 0))
            port = free.getsockname()[1]
        settings = {
            "listen_addresses": HOST,
            "port": port,
            "unix_socket_directories": "",
            "ssl": "on",
            "ssl_cert_file": folder / "server.crt",
            "ssl_key_file": folder / "server.key",
            "fsync": "off",
            "timezone": "Asia/Tokyo",  # nothing may depend on its being UTC
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, *options],
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **account,
            )
        try:
            server = Postgres(port, admin_password)

            def said() -> str:
                return f"{server.refusal()}\n{(folder / 'log').read_text()[-4000:]}"

            wait_until(lambda: process.poll() is not None or server.refusal() is None, said)
            assert process.poll() is None, said()
            quoted = PASSWORD.replace("'", "''").replace("%", "%%")
            server.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{quoted}'")
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # does not wait for those who are connected
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    """Their folder: that of the initdb on the PATH, or the newest that Debian has."""
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


def _account() -> dict[str, Any]:
    """Postgres does not run as root: the account that it runs as instead, for ``subprocess``."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def write_certificate(certificate: Path, key: Path) -> None:
    """Self-signed, for a day."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    key.chmod(0o600)
