"""The views and macros of soc.duckdb."""
