"""Recipes, learners, prediction intervals and the area of applicability; the served graph."""
