"""Pure functions from DataFrame to DataFrame.

Belongs here: what happens to rows. Does not: reading, writing, sessions, arguments.
"""
