"""Findings and figures for people."""
