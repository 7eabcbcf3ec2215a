"""The sensor ``take_dropped_files``: trip files that somebody put into the lake's inbox.

Belongs here: hearing of them, deciding. Does not: touching a dropped file.
"""
