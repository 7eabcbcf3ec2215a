"""The dashboard: what the warehouse's views say, as pages in a browser.

Belongs here: pages, the figures on them, and how they are served. Does not: any number, which all come by SQL from the
warehouse (``taxi_assets.warehouse``).
"""
