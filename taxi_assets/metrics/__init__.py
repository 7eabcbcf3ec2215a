"""Metrics: their names and meanings, and the table that keeps them.

Belongs here: what is measured under which name, and handing points over. Does not: CloudWatch (``aws.cloudwatch``).
"""
