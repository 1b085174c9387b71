"""Jobs, schedules, sensors and backfills."""
