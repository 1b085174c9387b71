"""Pre-training of the encoder on windows of the project's own rasters, without labels: SpectralGPT's objective.

Put here what a masked autoencoder needs: network, objective, windows, optimisation, checkpoints. The encoder's sizes,
positions and weights are in `soc_assets.embedding.encoder`; Dagster and MLflow are kept out.
"""
