"""Databases with an ADBC driver as sources: Arrow Flight SQL, Snowflake and BigQuery.

PostgreSQL has one too, and a reader of its own, which knows PostgreSQL's snapshots and types.
"""
