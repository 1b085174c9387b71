"""The page of the maps (`soc view`): a server on this machine without Dagster, and the same page as one file."""
