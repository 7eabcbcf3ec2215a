"""The parsers of ours, given texts that nobody thought of, and those that a fuzzer found."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_assets_tests.support.odd_months import TRIES
from taxi_assets_tests.support.parsers import PARSERS, SEEDS

_CODE = "'\"(){}[]<>,.;:|&=*-_/\\ \n\t\0\x1b\u00b2\uff12\u202e\ud800"
_PIECES = sorted({piece for texts in SEEDS.values() for text in texts for piece in text.split()})


@st.composite
def texts(draw: st.DrawFn, name: str) -> str:
    """A text that the parser understands with some of it changed, or pieces of such texts, or any text."""
    known = draw(st.sampled_from(SEEDS[name]))
    odd = st.one_of(st.text(max_size=20), st.text(_CODE, max_size=5), st.sampled_from(_PIECES))
    start = draw(st.integers(0, len(known)))
    end = draw(st.integers(start, min(len(known), start + 10)))
    changed = f"{known[:start]}{draw(odd)}{known[end:]}"
    return draw(st.one_of(st.just(changed), st.lists(odd, max_size=6).map(" ".join)))


@pytest.mark.parametrize("name", PARSERS)
def test_what_has_to_hold_of_a_parser_holds_for_any_text(name: str) -> None:
    holds = settings(TRIES, max_examples=max(30, TRIES.max_examples))(given(texts(name))(PARSERS[name]))
    holds()


FOUND: list[tuple[str, str, str]] = [
    ("a key that is no UTF-8", "events", SEEDS["events"][0].replace("parquet", "\udcff").replace("Created", "Removed")),
    ("brackets in brackets", "events", "[" * 100_000),
    (
        "a date in the year 1",
        "events",
        SEEDS["events"][0].replace("2024-05-01T00:00:00.000Z", "0001-01-01T00:00+14:00"),
    ),
    ("a text that is not ended", "views", "SELECT '"),
    ("brackets in SQL", "views", "SELECT " + "(" * 3_000),
    ("brackets in SQL", "past_queries", "SELECT " + "(" * 3_000),
    ("a table that is no name", "past_queries", "SELECT t.a t JOIN monCT\0\0.@g\udcff\udcff\udcff\udcfflyS\0"),
    ("a name of four parts", "past_queries", "SELECT 1 FROM a.b.c.d"),
    ("a name of three parts", "past_queries", "SELECT 1 FROM a.staging.trips"),
    ("a field that is too long", "zones", "LocationID\n" + "x" * 200_000),
    ("digits of another script", "months", "20\uff12\uff14-02"),
    ("a square", "settings", "source=synthetic:rows=\u00b2"),
    ("a bracket", "settings", "source=https://[::1"),
    ("a lone surrogate", "settings", "lake=\udcff"),
]


@pytest.mark.parametrize(("name", "text"), [one[1:] for one in FOUND], ids=[f"{one[1]}: {one[0]}" for one in FOUND])
def test_what_was_found_stays_mended(name: str, text: str) -> None:
    PARSERS[name](text)


def test_every_parser_has_texts_that_it_understands_or_nearly() -> None:
    assert PARSERS.keys() == SEEDS.keys()
