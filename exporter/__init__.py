"""Turns rows into files: datasets, formats, and `run_export`."""
