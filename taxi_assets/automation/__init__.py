"""What runs by itself: sensors.

Belongs here: deciding when something is to be done. Does not: doing it.
"""
