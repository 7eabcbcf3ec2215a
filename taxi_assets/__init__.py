"""The Dagster code location: assets, checks, the lake, the command line.

Belongs here: orchestration, publishing, serving. Does not: what happens to rows (``glue_jobs``).
"""
