"""The sensors: what is looked at again and again, and what a look asks for.

Belongs here: deciding when something is to be done. Does not: doing it, or the sensor of alerts (``alerts``).
"""
