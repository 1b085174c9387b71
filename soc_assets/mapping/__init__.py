"""Predictions at new points."""
