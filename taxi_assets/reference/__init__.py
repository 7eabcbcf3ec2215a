"""Reference data: what trips and months are looked up in.

Belongs here: making its rows. Does not: their columns' meaning (``glue_jobs.contracts.reference``), publishing them
(``lake.reference``), or the assets (``assets.reference``).
"""
