"""The host's own package `api`."""
