"""Which engine predicts the blocks of a map."""

from typing import Any

from soc_assets.mapping.engine.affine import AffineEngine
from soc_assets.mapping.engine.blocks import Engine, PointEngine
from soc_assets.mapping.engine.columns import ColumnEngine, Columns
from soc_assets.mapping.engine.graph import cut_graph
from soc_assets.mapping.inputs import MapInputs


def engine_for(inputs: MapInputs) -> Engine:
    """The fastest engine that knows the model's features; all give the same map.

    Args:
        inputs: with the loaded model.
    """
    spec, features, columns = inputs.predictor.spec, inputs.predictor.features, Columns(inputs)
    embedded = "embedding" in columns.positions
    if features.alignment != "lag":
        return PointEngine(inputs)
    if columns.windows or (embedded and not spec.linear):
        return ColumnEngine(inputs)
    cut = cut_graph(graph_of_model(inputs.registered.model))
    exact = not embedded or spec.choices["storage"] == "float32"
    return AffineEngine(inputs, cut) if cut is not None and exact else ColumnEngine(inputs)


def graph_of_model(model: Any) -> Any:
    """The graph behind MLflow's wrapper, or None where there is none."""
    return model.get_raw_model() if hasattr(model, "get_raw_model") else None
