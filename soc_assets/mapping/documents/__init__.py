"""What stands beside a map, or a change, for people and catalogs."""
