"""The warehouse: the views that analysts and the dashboard ask, the same SQL on DuckDB and on Redshift.

Belongs here: the views, and how questions are put to either engine. Does not: how the tables below them are made.
"""
