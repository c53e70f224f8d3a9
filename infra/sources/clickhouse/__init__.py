"""ClickHouse as a source, over its HTTP interface, which sends Arrow."""
