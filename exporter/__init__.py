"""Exporter: datasets, file formats, and `run_export`, which turns rows into a file."""
