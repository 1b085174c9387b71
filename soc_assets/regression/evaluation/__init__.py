"""Comparing models on identical folds: plan, fits, scores and bootstrap intervals."""
