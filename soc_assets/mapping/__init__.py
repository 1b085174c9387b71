"""Predictions at places."""
