"""Copies of messages to Slack, by an incoming webhook."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import requests
from pydantic import SecretStr

from taxi_assets.alerts.notify import Message, NotDelivered, Notifier

_SECONDS = 3.0
"""Short: a tick of a sensor is given up after a minute. A copy that is not taken is not sent again."""


_SLACK_CHARACTERS = 39_000
"""Slack cuts a text at 40,000 characters."""


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
                f"Slack could not be reached ({type(error).__name__})", "check the network and TAXI_SLACK_WEBHOOK_URL"
            ) from None
        if status != HTTPStatus.OK:
            raise NotDelivered(f"Slack answered {status}", "check TAXI_SLACK_WEBHOOK_URL")
