"""The assets in order, and whether each is up to date."""
