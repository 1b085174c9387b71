"""The SpectralGPT encoder: architecture, weights, precision and running it."""
