"""Stage 1, ingest: rasters into a catalog, soil tables into samples and rejected rows."""
