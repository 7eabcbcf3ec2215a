"""What people see of the numbers, whoever draws it: the dashboard's pages and the month's report share it.

Belongs here: the questions put to the warehouse, figures, the map, colours and words. Does not: any number, which all
come by SQL from the warehouse (``taxi_assets.warehouse``), Streamlit's widgets (``taxi_assets.dashboard``), or when a
report is made (``taxi_assets.assets``).
"""
