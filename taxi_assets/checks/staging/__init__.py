"""The checks of a staged month.

Belongs here: the month as the checks see it, and every question about it. Does not: asking them (``checks.check``).
"""
