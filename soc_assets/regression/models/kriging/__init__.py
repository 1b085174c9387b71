"""Gaussian processes in space: covariance, marginal likelihood, fields that predict, and the learners made of them."""
