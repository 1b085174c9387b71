"""What `soc check` and the asset checks of rasters and samples look for."""
