"""Handing a message to people: an outbox in the lake, e-mail by SNS, Slack.

Belongs here: what a message is, and how each way of sending takes it. Does not: what is worth a message
(``automation.problems``), or how it is worded (``automation.wording``).
"""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

import requests
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from taxi_assets.aws import client, remedy_of
from taxi_assets.lake.texts import write_text
from taxi_assets.settings import Settings

_log = logging.getLogger("taxi_assets.alerts")
_SUBJECT_CHARACTERS = 100
"""SNS takes a subject of at most 100 ASCII characters, without line breaks."""
_PART_BYTES = 200_000
"""SNS takes 262,144 bytes, attributes included."""
_SLACK_CHARACTERS = 39_000
"""Slack cuts a text at 40,000 characters."""
_SECONDS, _ATTEMPTS = 3.0, 2
"""Short: a tick of a sensor is given up after a minute, and the next one tries again anyway."""


class NotDelivered(Exception):
    """The message was not taken; it is to be sent again later. Says why and what to do, and no secret."""


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

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Message:
        """The message that ``as_json`` gave."""
        return cls(**{**given, "at": datetime.fromisoformat(given["at"])})


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
            raise NotDelivered(f"{path} could not be written: {error}. What to do: see to the disk or S3.") from error
        line = {name: value for name, value in message.as_json().items() if name not in ("text", "problems")}
        level = {"ERROR": logging.ERROR, "WARN": logging.WARNING}.get(message.severity, logging.INFO)
        _log.log(level, json.dumps({**line, "problems": len(message.problems), "file": f"{path}.txt"}))


@dataclass(frozen=True)
class SnsNotifier(Notifier):
    """An SNS topic, which sends e-mail or whatever else is subscribed; subscriptions may filter by the attributes."""

    topic_arn: str

    def send(self, message: Message) -> None:
        """See ``Notifier``. A text that is too long goes in parts."""
        sns = client("sns", region=self.topic_arn.split(":")[3], attempts=_ATTEMPTS, timeout=_SECONDS)
        parts = list(_parts(message.text, _PART_BYTES))
        for number, part in enumerate(parts, 1):
            which = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
            try:
                sns.publish(
                    TopicArn=self.topic_arn,
                    Subject=_ascii(message.headline, _SUBJECT_CHARACTERS - len(which)) + which,
                    Message=part,
                    MessageAttributes={
                        name: {"DataType": "String", "StringValue": value}
                        for name, value in (("severity", message.severity), ("kind", message.kind))
                    },
                )
            except (ClientError, BotoCoreError) as error:
                raise NotDelivered(f"{self.topic_arn}: {error}. What to do: {remedy_of(error)}.") from error


@dataclass(frozen=True)
class SlackNotifier(Notifier):
    """An incoming webhook of Slack; empty if there is none. Its address is a secret: who has it can post."""

    webhook_url: SecretStr

    @property
    def is_wanted(self) -> bool:
        """Whether there is a webhook."""
        return bool(self.webhook_url.get_secret_value())

    def send(self, message: Message) -> None:
        """See ``Notifier``."""
        text = f"*{message.headline}*\n{message.text}"
        if len(text) > _SLACK_CHARACTERS:
            text = f"{text[:_SLACK_CHARACTERS]}\n… cut here; the e-mail, or the outbox, has all of it."
        try:
            status = requests.post(
                self.webhook_url.get_secret_value(), json={"text": text}, timeout=_SECONDS, allow_redirects=False
            ).status_code
        except requests.RequestException as error:
            # Its own text, and the traceback of what caused it, have the address in them.
            raise NotDelivered(
                f"Slack could not be reached ({type(error).__name__}). What to do: check the network and "
                "TAXI_SLACK_WEBHOOK_URL."
            ) from None
        if status != HTTPStatus.OK:
            raise NotDelivered(f"Slack answered {status}. What to do: check TAXI_SLACK_WEBHOOK_URL.")


def notifier_of(settings: Settings) -> Notifier:
    """The way that has to take every message: SNS if a topic is named, else the outbox in the lake."""
    if settings.alert_topic_arn:
        return SnsNotifier(settings.alert_topic_arn)
    return OutboxNotifier(f"{settings.lake}/alerts")


def slack_of(settings: Settings) -> SlackNotifier:
    """Slack, which gets a copy."""
    return SlackNotifier(settings.slack_webhook_url)


def _ascii(text: str, characters: int) -> str:
    plain = " ".join(text.split()).encode("ascii", "replace").decode()
    return plain if len(plain) <= characters else f"{plain[: characters - 3]}..."


def _parts(text: str, most: int) -> Iterator[str]:
    """``text`` in parts of at most ``most`` bytes of UTF-8, cut between lines where that is possible."""
    part = ""
    for line in text.splitlines(keepends=True) or [""]:
        # A character has up to four bytes.
        pieces = (
            [line] if len(line.encode()) <= most else [line[i : i + most // 4] for i in range(0, len(line), most // 4)]
        )
        for piece in pieces:
            if part and len((part + piece).encode()) > most:
                yield part
                part = ""
            part += piece
    yield part
