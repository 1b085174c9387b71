"""The design matrix: features, reduction, standardisation and the transform of the target."""
