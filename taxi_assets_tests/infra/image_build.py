"""The container image, built from the checkout for tests: by buildah, on a base of this machine's Debian or Ubuntu.

Belongs here: the base, the build, the image's file system and settings. Does not: running it (``image_container``).
"""

from __future__ import annotations

import ast
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
"""Before what makes file systems and mounts them."""
_PROGRAMS = ("buildah", "mmdebstrap", "unshare")
_BASE, _IMAGE = "localhost/base", "localhost/taxi"
_PACKAGES = "ca-certificates,passwd,python3-venv"
"""What python:3.11-slim-bookworm has of what the Dockerfile needs."""
_READS_NOBODY = ("doc", "info", "locale", "man")
_OF_PIP = ("cert", "extra-index-url", "index-url", "proxy", "timeout", "trusted-host")


@dataclass(frozen=True)
class Image:
    """A built image: its file system at ``root``, and what it says of how it is run."""

    root: Path
    config: Mapping[str, Any]

    def find(self, *expression: str) -> set[str]:
        """The paths in it of which the program find says yes; root alone may look into all folders."""
        command = [*AS_ROOT, "find", str(self.root), *expression, "-printf", "/%P\\n"]
        return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())


@contextmanager
def built_image() -> Iterator[Image]:
    """The image of this checkout; the test is skipped if a program that builds it is missing.

    All that buildah keeps is in a folder of its own: images and containers of this machine are not touched.
    """
    if missing := [name for name in _PROGRAMS if shutil.which(name) is None]:
        # No pip brings them, and who changes no image needs none; CI installs them, and takes a skip for a failure.
        pytest.skip(f"{', '.join(missing)} not installed: apt-get install buildah mmdebstrap")
    if AS_ROOT and subprocess.run([*AS_ROOT, "true"], capture_output=True).returncode:
        # Mounts and owners of files are root's; CI has it.
        pytest.skip("to make an image's file system takes root, or sudo without a password")
    folder = Path(tempfile.mkdtemp(prefix="image-"))  # not one of pytest's, which keeps them: it is gigabytes
    buildah = _Buildah(folder)
    try:
        _make_base(buildah)
        _build(buildah, folder)
        container = buildah("from", "--pull-never", _IMAGE)
        config = json.loads(buildah("inspect", "--type", "image", _IMAGE))["OCIv1"]["config"]
        yield Image(Path(buildah("mount", container)), config)
    finally:
        buildah("rm", "--all")  # which are mounted
        subprocess.run([*AS_ROOT, "rm", "-rf", folder], check=True)


class _Buildah:
    def __init__(self, folder: Path) -> None:
        (folder / "tmp").mkdir()
        store = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver"]
        command = [*AS_ROOT, "env", f"TMPDIR={folder / 'tmp'}", "buildah", *store]
        # Each layer is a copy of all below it where the disk lets none lie over another, as in most containers.
        lies_over = subprocess.run([*command, "overlay", "info"], capture_output=True).returncode == 0
        self._command = [*command, "overlay" if lies_over else "vfs"]

    def __call__(self, *arguments: str | Path) -> str:
        """What it printed, without what it told meanwhile."""
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout.strip()


def _make_base(buildah: _Buildah) -> None:
    """No registry is asked: from the packages of this machine's release, from where its apt has them."""
    release = platform.freedesktop_os_release()
    sources = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) deb $(REPO_URI) $(RELEASE) $(COMPONENT)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    of_the_release = {line.split(" ", 1)[1] for line in sources if line.split(" ", 1)[0].lower() == release["ID"]}
    assert of_the_release, f"apt has no source of {release['ID']}: apt-get update"
    container = buildah("from", "scratch")
    without = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _READS_NOBODY]
    command = ["mmdebstrap", "--quiet", "--variant=apt", f"--include={_PACKAGES}", *without]
    made = subprocess.run(
        [*AS_ROOT, *command, release["VERSION_CODENAME"], buildah("mount", container), "-"],
        input="\n".join(sorted(of_the_release)),
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr[-4000:]
    buildah("commit", "--quiet", container, _BASE)
    buildah("rm", container)


def _build(buildah: _Buildah, folder: Path) -> None:
    """Pip finds its index as it does on this machine, by a file that is mounted and in no layer."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    # Lines as global.cert='/a/file'; those of the environment come last, and count.
    said = {name.rpartition(".")[2]: ast.literal_eval(value) for name, value in (one.split("=", 1) for one in listed)}
    of_pip = {name: said[name] for name in _OF_PIP if name in said and "file:" not in said[name]}
    mounts = {folder / "pip.conf": "/etc/pip.conf"}
    # Its cache as well: to make the wheel of pyspark's 318 MB once more takes half a minute.
    cache = subprocess.run(
        [sys.executable, "-m", "pip", "cache", "dir"], check=True, capture_output=True, text=True
    ).stdout.strip()
    if Path(cache).is_dir():
        of_pip["cache-dir"] = mounts[Path(cache)] = "/run/pip-cache"
    if "cert" in of_pip:
        mounts[Path(of_pip["cert"])] = of_pip["cert"]
    (folder / "pip.conf").write_text("\n".join(["[global]", *(f"{name} = {value}" for name, value in of_pip.items())]))
    volumes = [part for here, there in mounts.items() for part in ("--volume", f"{here}:{there}")]
    options = ["--isolation", "chroot", "--pull-never", "--build-arg", f"BASE_IMAGE={_BASE}", *volumes]
    buildah("build", *options, "--file", ROOT / "infra" / "image" / "Dockerfile", "--tag", _IMAGE, ROOT)
