"""Windows of rasters round the samples, through the SpectralGPT transformer, into one Parquet file per batch."""
