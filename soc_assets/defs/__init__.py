"""The Dagster side: assets, partitions, resources and jobs. Each asset loads, calls one function, writes and reports."""
