"""Running the jobs of ``glue_jobs``.

Belongs here: what running a job means, the jobs of a laptop, their engine. Does not: Glue (``aws.glue``).
"""
