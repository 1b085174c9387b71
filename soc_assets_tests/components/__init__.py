"""The Dagster component."""
