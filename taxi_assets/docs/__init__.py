"""Documents written from the code: ``make docs``.

Belongs here: data dictionary, contracts for other tools, the list of metrics. Does not: any fact of its own.
"""
