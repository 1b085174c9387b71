"""The space that a served graph measures dissimilarity in, cut out of the graph: raw features to places in it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from soc_assets.mapping.engine.graph import ancestors

if TYPE_CHECKING:
    from torch.fx import GraphModule

_ROWS = 1024


@dataclass(frozen=True)
class Space:
    """Standardised, weighted features (Meyer and Pebesma 2021), as `regression.models.applicability` has them.

    Attributes:
        graph: from raw features [n, d] to places [n, k].
        seen: [m, k] the training samples.
        mean_distance: between them; distances over it are dissimilarities.
    """

    graph: "GraphModule"
    seen: np.ndarray
    mean_distance: float

    def places(self, features: np.ndarray) -> np.ndarray:
        """Places [n, k] of raw features [n, d]."""
        import torch

        with torch.inference_mode():
            parts = torch.from_numpy(np.ascontiguousarray(features, np.float32)).split(_ROWS)
            return np.concatenate([self.graph(part).numpy() for part in parts])


def space_of(graph: Any) -> Space | None:
    """The space of a served graph; None where it has none, as a documented MLP of an earlier release."""
    import torch
    from torch.fx import GraphModule

    if not isinstance(graph, GraphModule):
        return None
    aten, buffers = torch.ops.aten, dict(graph.named_buffers())
    cdist = [node for node in graph.graph.nodes if node.target is aten.cdist.default and _of_area(node)]
    seen, distance = (
        [value for name, value in buffers.items() if name.endswith(f"area.{part}")]
        for part in ("seen", "mean_distance")
    )
    if not len(cdist) == len(seen) == len(distance) == 1:
        return None
    return Space(_until(graph, cdist[0].args[0]), seen[0].numpy(), float(distance[0]))


def _of_area(node: Any) -> bool:
    """Whether distances are those to the training samples of the area of applicability."""
    return str(getattr(node.args[1], "target", "")).endswith("area.seen")


def _until(graph: "GraphModule", last: Any) -> "GraphModule":
    """The graph as far as one of its nodes, without the checks of its inputs."""
    from torch.fx import Graph, GraphModule

    part, known, needed = Graph(), {}, ancestors(last)
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            known[node] = part.placeholder(node.name)
        elif node in needed:
            known[node] = part.node_copy(node, lambda before: known[before])
    part.output(known[last])
    return GraphModule(graph, part)
