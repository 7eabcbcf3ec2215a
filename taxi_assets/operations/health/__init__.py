"""Whether all is well: checks that each answer ok, warn or fail, what they found, and how to repair it.

Belongs here: asking the lake, Dagster and AWS, now and by itself, a file for each. Does not: printing (``cli``),
repairing, telling people (``alerts``), or looking into rows (``checks.verify``).
"""
