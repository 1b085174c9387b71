"""How the cells of a tile are predicted: engines, and the affine part of a model's graph."""
