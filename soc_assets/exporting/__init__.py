"""Features and embeddings as files for other tools: CSV, Parquet, NPZ and Zarr, a batch at a time."""
