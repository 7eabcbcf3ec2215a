"""Messages to people by an SNS topic, which sends e-mail or whatever else is subscribed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from taxi_assets.alerts.notify import Message, NotDelivered, Notifier
from taxi_assets.aws.client import client, remedy_of

_SECONDS, _ATTEMPTS = 3.0, 2
"""Short: a tick of a sensor is given up after a minute, and the next one tries again anyway."""


_SUBJECT_CHARACTERS = 100
"""SNS takes a subject of at most 100 ASCII characters, without line breaks."""

_PART_BYTES = 200_000
"""SNS takes 262,144 bytes, attributes included."""


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
                raise NotDelivered(f"{self.topic_arn}: {error}", remedy_of(error)) from error


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
