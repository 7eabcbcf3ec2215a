"""Everything that calls AWS.

Belongs here: clients, Glue runs, deployment, the Data Catalog's plain table, CloudWatch, SNS, SQS; what an error of AWS
means. Does not: deciding when any of it is done.
"""
