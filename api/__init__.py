"""The ways in: HTTP, the task centre, the client, and the command line."""
