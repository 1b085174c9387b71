"""Windows of rasters around the samples, through the SpectralGPT transformer, into one Parquet file per batch."""
