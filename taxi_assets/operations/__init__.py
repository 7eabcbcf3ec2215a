"""What a person or a program does with the whole: run a month, a range of months, ask whether all is well.

Belongs here: what the command line offers, without printing. Does not: printing (``cli``).
"""
