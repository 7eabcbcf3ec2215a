"""The sensor ``watch_source``: new and republished months at the source.

Belongs here: looking, deciding, remembering. Does not: reading a file (``glue_jobs.sources``).
"""
