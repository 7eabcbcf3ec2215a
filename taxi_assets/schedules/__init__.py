"""The schedules, each with the job that it starts.

Belongs here: what happens by the calendar. Does not: how it is done.
"""
