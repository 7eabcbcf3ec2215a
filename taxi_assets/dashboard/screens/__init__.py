"""A module for each page: what it asks, and in which order it shows the answers.

Not called ``pages``: Streamlit takes the files of a folder of that name for scripts.
"""

from __future__ import annotations

PAGES = {
    "overview": ("Overview", "monitoring"),
    "demand": ("Demand", "schedule"),
    "places": ("Places", "map"),
    "money": ("Money", "payments"),
    "customers": ("Customers", "groups"),
    "performance": ("Performance", "speed"),
    "quality": ("Data quality", "verified"),
    "versions": ("Versions", "history"),
    "operations": ("Operations", "engineering"),
}
"""Module to title and icon; the first opens without a path."""
