"""A whole run of a month on the Spark of Glue 5: as on Sail."""

from __future__ import annotations

import pytest

from taxi_assets_tests.end_to_end.on_jvm import PublishesAsSailDoes
from taxi_assets_tests.support.engines import SPARK_3

pytestmark = pytest.mark.jvm


class TestOnSpark3(PublishesAsSailDoes):
    engine = SPARK_3
