"""The Spark session of a job.

Belongs here: how a job gets its session, the same way on Glue, JVM Spark and Sail. Does not: choosing the
engine (the environment does: ``SPARK_REMOTE=sc://host:port`` makes this session a Spark Connect one).
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import SparkSession


def spark_session(job: str, settings: Mapping[str, str]) -> SparkSession:
    """The session for ``job`` with ``settings`` (Spark property to value), time zone pinned to UTC.

    The timestamps are New York wall-clock time without a zone; any other session zone would shift those
    that an expression turns into an instant.
    """
    builder = SparkSession.builder.config("spark.app.name", job)
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    # Spark 3.5 refuses dates before 1582 by default, because old Spark counted them otherwise; Spark 4 and Sail do not.
    session.conf.set("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED")
    # Catalyst derives a constraint for every alias of every judged column: minutes of planning for one month.
    session.conf.set("spark.sql.constraintPropagation.enabled", "false")
    return session
