"""The dashboard's script, which Streamlit runs anew for each look of each session (``taxi-assets dashboard``).

Belongs here: navigation, what is chosen for all pages, and what is said if there is nothing to show. Does not: pages.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import datetime, timezone
from urllib.parse import urlencode, urlsplit

import streamlit as st

from glue_jobs.contracts.raw import MASKED
from glue_jobs.errors import PipelineError
from taxi_assets.dashboard.login import let_in
from taxi_assets.dashboard.look import Look
from taxi_assets.dashboard.screens import PAGES
from taxi_assets.dashboard.shared import answers, is_opened
from taxi_assets.lake.snapshots import NoSuchMoment
from taxi_assets.settings import Settings

SECONDS_BETWEEN_LOOKS = 15
_NEWEST = "newest"


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="NYC taxi lakehouse", page_icon="🚕", layout="wide")
    if not let_in():
        return
    looks: dict[str, Look] = {}
    pages = [
        st.Page(
            _drawn(name, looks),
            title=title,
            icon=f":material/{icon}:",
            url_path=name,
            default=name == next(iter(PAGES)),
        )
        for name, (title, icon) in PAGES.items()
    ]
    page = st.navigation(pages)
    try:
        if not is_opened():
            with st.spinner("Reading what is published …"):
                answers().reader().ask("summary")
        look = _look()
        if look is None:
            _nothing_yet()
            return
        looks["now"] = look
        page.run()
    except PipelineError as error:
        st.error(f"{error.problem}." if not error.problem.endswith(".") else error.problem, icon=":material/error:")
        if error.remedy:
            st.markdown(f"What to do: {error.remedy}")
        return
    if look.reader.is_overtaken():
        st.rerun()
    _watch(look.reader.state, look.reader.as_of)


def _drawn(name: str, looks: dict[str, Look]) -> Callable[[], None]:
    def page() -> None:
        module = importlib.import_module(f"taxi_assets.dashboard.screens.{name}")
        module.draw(looks["now"])

    return page


def _look() -> Look | None:
    """What was chosen in the side bar; None if nothing is published. Values that are none fall to the default."""
    with st.sidebar:
        as_of = (
            st.text_input(
                "As of",
                key="as_of",
                bind="query-params",
                placeholder="now",
                help="What readers saw then: a date (its end), a time (UTC) or the id of a snapshot. Empty is now.",
            )
            or ""
        ).strip() or None
        try:
            reader = answers().reader(as_of)
        except NoSuchMoment as error:
            st.warning(f"{error.problem}: shown is now.", icon=":material/history:")
            as_of, reader = None, answers().reader()
        months = tuple(str(month) for month in reader.ask("summary").columns()["month"])
        if not months:
            return None
        chosen = st.selectbox(
            "Month",
            [_NEWEST, *months[::-1]],
            key="month",
            bind="query-params",
            help="The newest is that of now: another one as soon as it is published.",
        )
        month = chosen if chosen is not None and chosen in months else months[-1]
        settings = Settings()
        dark, ui_url = st.context.theme.type == "dark", settings.ui_url.rstrip("/")
        look = Look(reader, month, dark, ui_url, settings.dashboard_has_login)
        if reader.ask("masked").columns()["files"][0]:
            st.warning(f"Masked. {MASKED}", icon=":material/visibility_off:")
        _link(look)
    return look


def _link(look: Look) -> None:
    """The address of just this picture, whatever is published later."""
    moment = look.reader.as_of or f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    chosen = {**st.query_params.to_dict(), "month": look.month, "as_of": moment}
    with st.popover("Link to this picture", icon=":material/link:", on_change="rerun", key="link") as opened:
        if opened.open:
            st.caption("Shows these numbers also after a later publication.")
            st.code(f"{urlsplit(st.context.url or '')._replace(query='').geturl()}?{urlencode(chosen)}", language=None)


def _nothing_yet() -> None:
    st.header("Nothing is published yet")
    st.markdown("A lake takes synthetic months or real ones, not both. One of these begins it:")
    lake = Settings().lake
    st.code(
        f"taxi-assets run --month 2024-02 --source synthetic:rows=50000,seed=1 --lake {lake}\n"
        f"taxi-assets run --month 2024-02 --lake {lake}",
        language="sh",
    )


@st.fragment(run_every=SECONDS_BETWEEN_LOOKS)
def _watch(state: str, as_of: str | None) -> None:
    """Draw the page again when something was published since."""
    if as_of is None and answers().state() != state:
        st.rerun()


main()
