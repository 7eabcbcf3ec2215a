"""Terraform for tests: a configuration copied into a folder of its own, and the commands that are run there.

Belongs here: finding Terraform and its AWS provider, running it. Does not: what a configuration says, or the AWS that
it is applied to.

The provider is looked for in the directory that TAXI_TEST_TF_PLUGINS names, then in the usual ones; else it is
downloaded. Where there is no Terraform, or no provider and no network, the test is skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from taxi_assets_tests.support.waiting import HANGS_AFTER

_PROVIDER = "*/hashicorp/aws/5.100.0"  # below the name of the registry that it came from
_USUAL_PLACES = ("~/.terraform.d/plugins", "/usr/share/terraform/plugins", "/usr/local/share/terraform/plugins")
_LEFT_OUT = (".terraform", "*.tfstate", "*.tfstate.*", "*.tfplan", "__pycache__")
_PROVIDER_BLOCK = re.compile(r'^provider "aws" \{(?P<inside>[^\n]*\}$|.*?^\})', re.MULTILINE | re.DOTALL)
_ALIAS = re.compile(r'^\s*alias\s*=\s*"(\w+)"', re.MULTILINE)
_NO_NETWORK = "could not connect to"
_CHANGES = 2  # the exit code of a plan that is not empty
_HANGS_AFTER = 3 * HANGS_AFTER  # a whole AWS takes minutes to make


class TerraformFailed(Exception):
    """A command that ended with an error: the message is what it said."""


class Terraform:
    """The configuration in ``folder``, run with ``environment`` in the place of the user's settings of AWS."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._environment = {**_outside(), **(environment or {})}

    def init(self, backend: bool = True) -> None:
        """Make it ready, without asking the network if the provider is on this machine."""
        plugins = plugin_directory()
        options = [f"-plugin-dir={plugins}"] if plugins else []
        try:
            self.run("init", "-input=false", *options, f"-backend={str(backend).lower()}")
        except TerraformFailed as failed:
            if plugins is None and _NO_NETWORK in " ".join(str(failed).replace("│", " ").split()):
                # 675 MB that a laptop without a network cannot get; CI has it, and takes a skip for a failure.
                pytest.skip("the AWS provider is not on this machine (TAXI_TEST_TF_PLUGINS) and cannot be downloaded")
            raise

    def validate(self) -> None:
        """Check the configuration against the provider's schema."""
        self.run("validate")

    def test(self, *options: str) -> str:
        """Run the configuration's own tests (``*.tftest.hcl``); what they said."""
        return self.run("test", *options)

    def apply(self, **variables: object) -> None:
        """Make all that the configuration describes."""
        self.run("apply", "-auto-approve", "-input=false", *_as_options(variables))

    def plan_is_empty(self, **variables: object) -> bool:
        """Whether all is as the configuration says; a plan that is not empty is printed."""
        code, said = self._run("plan", "-detailed-exitcode", "-input=false", *_as_options(variables))
        if code not in (0, _CHANGES):
            raise TerraformFailed(f"terraform plan\n{said}")
        if code == _CHANGES:
            print(said)
        return code == 0

    def destroy(self, **variables: object) -> None:
        """Delete all that was made, by what is remembered of it: it is not read anew before."""
        self.run("destroy", "-auto-approve", "-input=false", "-refresh=false", *_as_options(variables))

    def output(self) -> dict[str, Any]:
        """The outputs' values, those of sensitive ones too."""
        told = json.loads(self.run("output", "-json"))
        return {name: output["value"] for name, output in told.items()}

    def resources(self) -> list[str]:
        """The addresses of all that is in the state; data sources are in it too."""
        return self.run("state", "list").split()

    def run(self, *arguments: str) -> str:
        """What the command said; TerraformFailed, with that, if it fails."""
        code, said = self._run(*arguments)
        if code != 0:
            raise TerraformFailed(f"terraform {' '.join(arguments)}\n{said}")
        return said

    def _run(self, command: str, *arguments: str) -> tuple[int, str]:
        colour = [] if command in ("output", "state", "fmt", "show", "providers") else ["-no-color"]
        process = subprocess.Popen(
            [terraform_program(), command, *colour, *arguments],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=_HANGS_AFTER)
        except BaseException:  # whatever ends the wait: Terraform and its providers must not outlive it
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            print(said)
            raise
        return process.returncode, said


def copied(tree: Path, to: Path, where: str | Path = ".", environment: Mapping[str, str] | None = None) -> Terraform:
    """The configuration in the folder ``where`` of ``tree``, all of which is copied to ``to``, that does not exist yet.

    Modules beside it come along. An override keeps the state in the copy, and makes the provider give up after three
    attempts: it sends what the emulator answers with status 500 twenty-five times, which looks like a hang.
    """
    shutil.copytree(tree, to, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    folder = to / where
    blocks = [block for file in sorted(folder.glob("*.tf")) for block in _provider_overrides(file.read_text())]
    (folder / "tests_override.tf").write_text("\n".join(['terraform {\n  backend "local" {}\n}', *blocks, ""]))
    return Terraform(folder, environment)


@cache
def terraform_program() -> str:
    """The ``terraform`` on the PATH; the test is skipped if there is none."""
    program = shutil.which("terraform")
    if program is None:
        # No pip brings it, and who changes no infrastructure needs none; CI has it, and takes a skip for a failure.
        pytest.skip("terraform is not on the PATH")
    return program


@cache
def plugin_directory() -> Path | None:
    """The directory that has the AWS provider, unpacked or as its zip; None if it has to be downloaded."""
    return next((place for place in _places() if any(place.glob(_PROVIDER))), None)


def _places() -> Iterator[Path]:
    if named := os.environ.get("TAXI_TEST_TF_PLUGINS"):
        yield Path(named)
    if cached := os.environ.get("TF_PLUGIN_CACHE_DIR"):
        yield Path(cached)
    yield from (Path(place).expanduser() for place in _USUAL_PLACES)
    for depth in ("*", "*/*"):
        yield from sorted(Path("/opt").glob(depth))


def _provider_overrides(configuration: str) -> Iterator[str]:
    for block in _PROVIDER_BLOCK.finditer(configuration):
        alias = _ALIAS.search(block["inside"])
        named = f'  alias       = "{alias[1]}"\n' if alias else ""
        yield f'provider "aws" {{\n{named}  max_retries = 3\n}}'


def _as_options(variables: Mapping[str, object]) -> list[str]:
    """``-var`` for each: texts as they are, anything else as JSON, which HCL reads."""
    return [
        f"-var={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in variables.items()
    ]


def _outside() -> dict[str, str]:
    """This process's environment without the user's settings of Terraform and AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    if cached := os.environ.get("TF_PLUGIN_CACHE_DIR"):
        kept["TF_PLUGIN_CACHE_DIR"] = cached
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**kept, **nowhere, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
