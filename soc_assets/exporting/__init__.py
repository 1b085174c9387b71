"""Features, points and embeddings for other tools: CSV, Parquet, NPZ, Zarr and STAC, a batch at a time."""
