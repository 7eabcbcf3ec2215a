"""The asset graph: raw, staging, curated.

Belongs here: which assets there are and how each is materialized: run the job, check what it wrote, publish.
Does not: what jobs do to rows, what checks ask, how publishing works.
"""
