"""Change between two periods: its tiles, its interval from the paired members, its files."""
