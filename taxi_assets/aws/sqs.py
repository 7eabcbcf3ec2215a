"""The SQS queue that S3 notifies of new objects.

Belongs here: reading and deleting messages. Does not: what they say (``sensors.dropped_files``).
"""

from collections.abc import Iterator
from typing import Any

from taxi_assets.aws.client import client, explained

_MESSAGES_AT_MOST, _A_BATCH = 100, 10


HIDDEN_SECONDS = 30
"""A message that was read is shown again after so long: in time for the next tick, which finds its run."""

_WAIT_SECONDS = 1
"""Without a wait, SQS asks only some of its servers and may miss messages."""


class Queue:
    """The SQS queue that S3 or EventBridge notifies of new objects."""

    def __init__(self, url: str, region: str) -> None:
        self._url = url
        self._sqs = client("sqs", region)

    def messages(self) -> Iterator[tuple[str, str]]:
        """Body and receipt of what waits, up to a tick's worth."""
        for _ in range(0, _MESSAGES_AT_MOST, _A_BATCH):
            with explained(f"the queue {self._url} could not be read"):
                answer: dict[str, Any] = self._sqs.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=_A_BATCH,
                    WaitTimeSeconds=_WAIT_SECONDS,
                    VisibilityTimeout=HIDDEN_SECONDS,
                )
            batch = answer.get("Messages", [])
            if not batch:
                return
            for message in batch:
                yield message["Body"], message["ReceiptHandle"]

    def delete(self, receipt: str) -> None:
        """Forget a message."""
        with explained(f"a message could not be deleted from the queue {self._url}"):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)
