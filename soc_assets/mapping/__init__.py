"""Predictions at new points and as maps; figures of maps by zone."""
