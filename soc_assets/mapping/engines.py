"""Which engine predicts the blocks of a map."""

from soc_assets.mapping.blocks import Engine, PointEngine
from soc_assets.mapping.inputs import MapInputs


def engine_for(inputs: MapInputs) -> Engine:
    """The fastest engine that knows the model's features; all give the same map."""
    return PointEngine(inputs)
