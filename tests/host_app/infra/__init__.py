"""The host's own package `infra`."""
