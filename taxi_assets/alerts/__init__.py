"""Telling people what is wrong, and when it is right again.

Belongs here: what is news, when people hear of it, in which words, by which way. Does not: SNS (``aws.sns``).
"""
