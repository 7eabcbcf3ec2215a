"""The dashboard: what the warehouse's views say, as pages in a browser.

Belongs here: pages, what is on them, and how they are served. Does not: what is asked and how it is drawn
(``taxi_assets.presentation``).
"""
