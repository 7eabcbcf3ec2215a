"""Signing in to the dashboard by OpenID Connect, where the settings name a provider.

Belongs here: whether somebody has to, and what is shown until they did. Does not: who may, which the provider decides.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from taxi_assets.settings import Settings


def secrets(settings: Settings) -> dict[str, Any]:
    """Streamlit's secrets for ``st.login``; nothing if nobody has to sign in."""
    if not settings.dashboard_has_login:
        return {}
    return {
        "auth": {
            "redirect_uri": f"{settings.dashboard_url.rstrip('/')}/oauth2callback",
            "server_metadata_url": settings.oidc_metadata_url,
            "client_id": settings.oidc_client_id,
            "client_secret": settings.oidc_client_secret.get_secret_value(),
            "cookie_secret": settings.oidc_cookie_secret.get_secret_value(),
        }
    }


def let_in() -> bool:
    """Whether whoever looks may see pages; if they have to sign in first, the button for it is shown."""
    if not Settings().dashboard_has_login:
        return True
    if not st.user.is_logged_in:
        st.header("NYC taxi lakehouse")
        st.button("Sign in", icon=":material/login:", on_click=st.login)
        return False
    with st.sidebar:
        st.caption(f"Signed in as {st.user.get('email') or st.user.get('name') or st.user.get('sub')}")
        st.button("Sign out", icon=":material/logout:", on_click=st.logout, type="tertiary")
    return True
