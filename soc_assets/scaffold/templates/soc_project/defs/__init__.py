"""Your own assets, checks and schedules: `dg scaffold defs dagster.asset mine.py`."""
