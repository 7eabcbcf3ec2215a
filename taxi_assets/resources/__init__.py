"""Thin, typed clients of what the assets need from outside: the jobs' engine, the source, the lake.

Belongs here: what differs between a laptop and AWS. Does not: any decision about data.
"""
