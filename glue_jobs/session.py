"""The Spark session of a job.

Belongs here: how a job gets its session, the same way on Glue, JVM Spark and Sail. Does not: choosing the
engine (the environment does: ``SPARK_REMOTE=sc://host:port`` makes this session a Spark Connect one).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from pyspark.sql import SparkSession

from glue_jobs.errors import Cause, PipelineError

ANSWER_SECONDS = 300
"""For a Spark Connect server to answer at first, which takes a fraction of one: PySpark's client alone would try in
silence for ten minutes, and for ever through a proxy that takes the connection and leads nowhere."""
_SECONDS_BETWEEN_WORDS = 10
_log = logging.getLogger(__name__)


def spark_session(job: str, settings: Mapping[str, str]) -> SparkSession:
    """The session for ``job`` with ``settings`` (Spark property to value), time zone pinned to UTC.

    The timestamps are New York wall-clock time without a zone; any other session zone would shift those
    that an expression turns into an instant. PipelineError if the server that ``SPARK_REMOTE`` names does not answer.
    """
    if address := os.environ.get("SPARK_REMOTE"):
        _wait_for_answer(address)
    builder = SparkSession.builder.config("spark.app.name", job)
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    # Spark 3.5 refuses dates before 1582 by default, because old Spark counted them otherwise; Spark 4 and Sail do not.
    session.conf.set("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED")
    # Catalyst derives a constraint for every alias of every judged column: minutes of planning for one month.
    session.conf.set("spark.sql.constraintPropagation.enabled", "false")
    # HotSpot compiles no method of more than 8,000 bytes, and Spark makes one of a whole stage up to 65,535: it was
    # interpreted, row by row. 1.03 M trips were staged in 78 s with this limit, in 174 s without.
    session.conf.set("spark.sql.codegen.hugeMethodLimit", "8000")
    return session


def _wait_for_answer(address: str) -> None:
    """Until a Spark Connect server answers at ``address``; says meanwhile what is waited for."""
    import grpc  # type: ignore[import-untyped]  # with Spark Connect only, and not on Glue
    from pyspark.sql.connect import client

    builder = getattr(client, "DefaultChannelBuilder", client.ChannelBuilder)  # Spark 4's name, and 3.5's
    with builder(address).toChannel() as channel:
        answer = grpc.channel_ready_future(channel)
        for waited in range(0, ANSWER_SECONDS, _SECONDS_BETWEEN_WORDS):
            if waited:
                _log.warning("waiting for the engine at %s: %d of at most %d s", address, waited, ANSWER_SECONDS)
            try:
                answer.result(timeout=_SECONDS_BETWEEN_WORDS)
                return
            except grpc.FutureTimeoutError:
                continue
        answer.cancel()
    raise PipelineError(
        f"the Spark engine at {address} did not answer within {ANSWER_SECONDS} s",
        "see that it is a Spark Connect server, and name its host in no_proxy if http_proxy or grpc_proxy is set",
        cause=Cause.ENGINE,
    )
