"""Soil tables: finding and reading them, what their columns and values mean, which rows are samples."""
