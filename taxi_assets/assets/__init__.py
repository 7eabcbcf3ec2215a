"""The asset graph: raw, staging, curated.

Belongs here: which assets there are and how each is materialized: run the job, audit what it wrote, publish.
Does not: what jobs do to rows, what audits ask, how publishing works.
"""
