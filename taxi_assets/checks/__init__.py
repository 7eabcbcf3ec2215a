"""Checks, apart from the assets that they watch.

Belongs here: what must hold for the data of a month, before it is published. Does not: publishing.
"""
