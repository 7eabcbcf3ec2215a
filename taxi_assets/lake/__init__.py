"""The lake: paths, Iceberg tables, publishing, the raw ledger, the history of checks, metrics, reading.

Belongs here: how tables are kept, in a folder and in S3. Does not: what is in them, or when they are written.
"""
