"""The command ``taxi-assets``.

Belongs here: arguments, printing, exit codes. Does not: any work (``operations``).
"""
