"""DuckDB as a source: its own files read-only, and the Parquet, CSV and JSON files of a lake.

The `ArrowSession` is in ``session``; ``dialect`` writes its SQL and finds its tables.
"""
