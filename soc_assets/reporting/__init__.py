"""Findings and figures for users."""
