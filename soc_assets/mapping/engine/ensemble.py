"""The members of a served graph: what each network of an ensemble, or each tree of a forest, says by itself.

A graph keeps its members inside and gives their mean. Here they are found in it by what it does with them, so that
models that were registered earlier have them, too: the networks are what the graph takes both the mean and the standard
deviation of, the trees what it sums with a weight of 1 over their number. Boosted trees are summed with a weight of 1:
each corrects those before it and is no model by itself.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from soc_assets.mapping.engine.graph import ancestors
from soc_assets.mapping.engine.graph_forms import constant

if TYPE_CHECKING:
    from torch.fx import GraphModule

_AT_ONCE = 2**15  # values that are taken to g/kg at once: each is averaged over up to 200 residuals


@dataclass(frozen=True)
class Ensemble:
    """A graph that shows its members; what maps ask for predictions.

    Attributes:
        graph: from raw features to the columns of the served graph and the members' transformed targets, [n, c + S].
        members: how many there are, S.
        back: from the transformed target [m] to g/kg [m], as the served graph does it.
    """

    graph: "GraphModule"
    members: int
    back: "GraphModule"

    def get_raw_model(self) -> "GraphModule":
        """The graph, as MLflow's wrapper gives it."""
        return self.graph

    def predict(self, features: np.ndarray) -> np.ndarray:
        """All columns [n, c + S] of raw features [n, d]."""
        import torch

        with torch.inference_mode():
            return self.graph(torch.from_numpy(np.ascontiguousarray(features, np.float32))).numpy()

    def to_carbon(self, transformed: np.ndarray) -> np.ndarray:
        """The transformed target [m] in g/kg, float64 [m]; equal numbers, as leaves of trees are, once."""
        import torch

        if not len(transformed):
            return np.empty(0)
        values, place = np.unique(transformed.astype(np.float32), return_inverse=True)
        with torch.inference_mode():
            parts = [self.back(part).double().numpy() for part in torch.from_numpy(values).split(_AT_ONCE)]
        return np.concatenate(parts)[place]


def ensemble_of(model: Any) -> Ensemble | None:
    """The members of a registered model; None where it has none, or only one."""
    from torch.fx import GraphModule

    graph = model.get_raw_model() if hasattr(model, "get_raw_model") else None
    if not isinstance(graph, GraphModule):
        return None
    [output] = [node for node in graph.graph.nodes if node.op == "output"]
    answer = output.args[0][0] if isinstance(output.args[0], (tuple, list)) else output.args[0]
    found = _networks(graph) or _trees(graph)
    if found is None or not _is_stack(answer):
        return None
    value, members, size = found
    back = _between(graph, value, answer.args[0][0])
    return None if size < 2 or back is None else Ensemble(_showing(graph, answer, members), size, back)


def _is_stack(node: Any) -> bool:
    import torch

    return node.target is torch.ops.aten.stack.default and node.args[1:] == (1,)


def _networks(graph: "GraphModule") -> tuple[Any, Any, int] | None:
    """The node of the mean, that of the members [S, n], and S."""
    import torch

    aten = torch.ops.aten
    nodes = list(graph.graph.nodes)
    spread = {node.args[0] for node in nodes if node.target is aten.std.correction and node.args[1] == [0]}
    for node in nodes:
        if node.target is aten.mean.dim and node.args[1] == [0] and node.args[0] in spread:
            return node, node.args[0], _first_size(node.args[0])
    return None


def _first_size(members: Any) -> int:
    """S of a node [S, n]: the first size of the constants that it was made with."""
    expanded = [node for node in ancestors(members) if str(node.target) == "aten.expand.default"]
    return int(expanded[0].args[1][0]) if len(expanded) == 1 else 0


def _trees(graph: "GraphModule") -> tuple[Any, Any, int] | None:
    """The node of a forest's mean, that of its leaves [T, n], and T."""
    import torch

    aten = torch.ops.aten
    for node in graph.graph.nodes:
        if node.target is not aten.to.dtype or getattr(node.args[0], "target", None) is not aten.add.Tensor:
            continue
        start, product = node.args[0].args
        if getattr(product, "target", None) is not aten.mul.Tensor:
            continue
        share, total = (constant(graph, product.args[0]), product.args[1])
        if share is None or getattr(total, "target", None) is not aten.sum.dim_IntList or total.args[1] != [0]:
            continue
        trees, begun = int(total.args[0].args[1][0]), constant(graph, start)
        if begun is not None and float(begun) == 0 and np.isclose(float(share) * trees, 1, rtol=1e-9):
            return node, total.args[0], trees
    return None


def _showing(graph: "GraphModule", answer: Any, members: Any) -> "GraphModule":
    """The graph with its members beside its columns."""
    import torch
    from torch.fx import Graph, GraphModule

    aten, shown = torch.ops.aten, Graph()
    known: dict[Any, Any] = {}
    for node in graph.graph.nodes:
        if node.op == "output":
            continue
        known[node] = shown.node_copy(node, lambda before: known[before])
    beside = shown.call_function(aten.t.default, (known[members],))
    shown.output(shown.call_function(aten.cat.default, ([known[answer], beside], 1)))
    return GraphModule(graph, shown)


def _between(graph: "GraphModule", first: Any, last: Any) -> "GraphModule | None":
    """What the graph makes of one node until another; None where that needs anything else but constants."""
    from torch.fx import Graph, GraphModule

    part: Graph = Graph()
    known: dict[Any, Any] = {first: part.placeholder("value")}
    needed = ancestors(last, (first,))
    if first not in needed:
        return None
    for node in graph.graph.nodes:
        if node in needed and node not in known:
            if node.op == "placeholder":
                return None
            known[node] = part.node_copy(node, lambda before: known[before])
    part.output(known[last])
    return GraphModule(graph, part)
