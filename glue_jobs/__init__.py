"""The PySpark jobs and all that they need to run on AWS Glue, on JVM Spark or on Sail.

Belongs here: entry scripts, transforms, table contracts, sources of raw files.
Does not: anything that imports dagster (``dagster_pipes`` excepted), PyIceberg or DuckDB. The jobs write
files; publishing them is the asset graph's business (``taxi_assets``).
"""
