"""Handing a message to people: what a message is, and the outbox in the lake.

Belongs here: the interface of every way of sending, and the one that needs nothing. Does not: SNS (``aws.sns``), Slack
(``alerts.slack``), what is worth a message (``alerts.problems``), or how it is worded (``alerts.wording``).
"""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from glue_jobs.errors import PipelineError
from taxi_assets.lake.texts import write_text

_log = logging.getLogger("taxi_assets.alerts")


class NotDelivered(PipelineError):
    """The message was not taken; it is to be sent again later. Holds no secret."""


@dataclass(frozen=True)
class Message:
    """What people get to read: ``title`` in one line, ``text`` in plain text.

    ``kind`` and ``severity`` (ERROR, WARN, INFO) are for filters; ``problems`` is all of it for programs.
    """

    kind: str
    severity: str
    title: str
    text: str
    at: datetime
    problems: Sequence[Mapping[str, Any]] = field(default=())

    @property
    def headline(self) -> str:
        """The title with the severity."""
        return f"[taxi] {self.severity}: {self.title}"

    @property
    def name(self) -> str:
        """A name for files, in the order of time."""
        return f"{self.at:%Y%m%dT%H%M%S.%fZ}-{self.kind}"

    def as_json(self) -> dict[str, Any]:
        """The message as JSON types."""
        return {**asdict(self), "at": self.at.isoformat()}


class Notifier(ABC):
    """One way to people."""

    @abstractmethod
    def send(self, message: Message) -> None:
        """Hand a message over; NotDelivered if it was not taken, or perhaps not. It may then be sent twice."""


@dataclass(frozen=True)
class OutboxNotifier(Notifier):
    """Files in ``folder``, a path or ``s3://…``: each message as text and as JSON. And a line of the log, in JSON."""

    folder: str

    def send(self, message: Message) -> None:
        """See ``Notifier``."""
        path = f"{self.folder}/{message.name}"
        try:
            write_text(f"{path}.txt", f"{message.headline}\n\n{message.text}\n")
            write_text(f"{path}.json", json.dumps(message.as_json(), indent=2))
        except OSError as error:  # also PyArrow's, of S3
            raise NotDelivered(f"{path} could not be written: {error}", "see to the disk or S3") from error
        line = {name: value for name, value in message.as_json().items() if name not in ("text", "problems")}
        level = {"ERROR": logging.ERROR, "WARN": logging.WARNING}.get(message.severity, logging.INFO)
        _log.log(level, json.dumps({**line, "problems": len(message.problems), "file": f"{path}.txt"}))
