"""A process of the image, run as ECS runs it: its user, its environment, a root that nobody can write to.

Belongs here: namespaces and mounts in the place of a container engine. Does not: what is run, or building the image.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from taxi_assets_tests.infra.image_build import AS_ROOT, Image
from taxi_assets_tests.support.waiting import HANGS_AFTER, wait_until

# The first argument is the root; then the user and the volumes; the rest is the command. The network is this machine's.
_ENTER = """
root=$1 user=$2 volumes=$3; shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
for volume in $volumes; do mount -t tmpfs -o mode=1777 tmpfs "$root$volume"; done
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot --userspec="$user" "$root" env --ignore-environment "$@"
"""


class Container:
    """A running process of the image, the first of its process namespace; it says what it says into ``log``."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self.log = log

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-8000:]

    def stop(self) -> None:
        """Send SIGTERM, as ECS does, and wait for its end."""
        first = _first_of_namespace(self._process.pid)
        if first is not None:
            subprocess.run([*AS_ROOT, "kill", "-TERM", str(first)], check=True)
        self._process.wait(HANGS_AFTER)

    def kill(self) -> None:
        """End it and all that it started, if it runs."""
        if self.runs:
            subprocess.run([*AS_ROOT, "kill", "-KILL", str(_first_of_namespace(self._process.pid))], check=False)
            self._process.wait()


@contextmanager
def running(image: Image, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[Container]:
    """``command`` in a container of its own, until the block ends."""
    with log.open("wb") as out:
        process = subprocess.Popen(_in_container(image, command, environment), stdout=out, stderr=out)
        container = Container(process, log)
        try:
            wait_until(lambda: not container.runs or _first_of_namespace(process.pid) is not None, container.said)
            yield container
        finally:
            container.kill()


def run(image: Image, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """``command`` in a container of its own, to its end."""
    return subprocess.run(_in_container(image, command, environment), capture_output=True, text=True)


def _in_container(image: Image, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    user, volumes = image.config["User"], " ".join(image.config["Volumes"])
    variables = [*image.config["Env"], *(f"{name}={value}" for name, value in environment.items())]
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    entering = [*namespaces, "sh", "-euc", _ENTER, "enter", str(image.root), user, volumes]
    return [*AS_ROOT, *entering, f"--chdir={image.config['WorkingDir']}", *variables, *command]


def _first_of_namespace(pid: int) -> int | None:
    """The descendant of ``pid`` that is process 1 of a namespace of its own, once it runs the container's command."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines())
        numbers = status["NSpid"].split()
        if len(numbers) > 1 and numbers[-1] == "1":
            return int(child)
        if (found := _first_of_namespace(int(child))) is not None:
            return found
    return None
