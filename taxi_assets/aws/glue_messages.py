"""What a Glue run says while it is at work, read from S3.

Belongs here: reading the objects that a job's Pipes writer puts there. Does not: starting or judging a run (``glue``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from botocore.exceptions import BotoCoreError
from dagster_aws.pipes import PipesS3MessageReader


class RunMessages(PipesS3MessageReader):
    """Reads a run's messages below a prefix of its own, each second. Single-use, as its base is.

    The base draws a prefix of thirty letters at the bucket's root, which no policy could name. It reads one object a
    second and gives up ten seconds after the run: a reader that fell behind would miss the completion report. So all
    objects that are there are read at once.
    """

    def __init__(self, s3: Any, bucket: str, key_prefix: str) -> None:
        super().__init__(client=s3, bucket=bucket, interval=0)
        self._key_prefix = key_prefix

    @contextmanager
    def get_params(self) -> Iterator[dict[str, Any]]:
        """See PipesS3MessageReader."""
        with super().get_params() as params:
            yield {**params, "key_prefix": self._key_prefix}

    def messages_are_readable(self, params: Any) -> bool:
        """See PipesS3MessageReader."""
        with _passing("messages cannot be read yet"):
            return super().messages_are_readable(params)
        return False

    def download_messages(self, cursor: Any, params: Any) -> Any:  # noqa: ARG002 -- the base counts
        """Its counter and all messages from there on; None if there are none."""
        found: list[str] = []
        with _passing("messages cannot be read yet"):
            while chunk := self.download_messages_chunk(self.counter, params):
                self.counter += 1
                found.append(chunk)
        return (self.counter, "\n".join(found)) if found else None


@contextmanager
def _passing(doing: str) -> Iterator[None]:
    """Log that AWS was out of reach: the base's thread would end of it, and the next look is a second away."""
    try:
        yield
    except BotoCoreError as error:
        dg.get_dagster_logger().warning(f"{doing}: {error}")
