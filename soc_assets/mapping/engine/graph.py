"""Cutting a served graph where it stops being affine in the raw features.

What comes before the cuts becomes matrices (`forms`), what comes after them stays the model's own graph. Of the checks
of its inputs only the count of missing images is kept, as an input: who calls the rest of the graph counts them.
A graph that this cannot cut is served whole, row by row.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from soc_assets.mapping.engine.forms import Dense, Diagonal
from soc_assets.mapping.engine.graph_forms import WIDEST, affine_nodes
from soc_assets.mapping.engine.nearest import nearest_distance

if TYPE_CHECKING:
    from torch.fx import GraphModule


@dataclass(frozen=True)
class Cut:
    """A served graph in two.

    Attributes:
        forms: what the cuts are of the raw features.
        rest: from the cuts [n, width] (and missing images [n], where `counts_missing`) to predictions [n, columns].
        counts_missing: whether the rest needs the number of missing images.
        image: [d] number of each raw column's image, as the graph counts them; -1 where it does not.
        zeros: [d] whether a zero in the column may be a gap.
    """

    forms: tuple[Dense, ...]
    rest: "GraphModule"
    counts_missing: bool
    image: np.ndarray
    zeros: np.ndarray


def cut_graph(graph: Any) -> Cut | None:
    """Cut a served graph; None where it is no torch graph of one input, or not affine at its beginning."""
    from torch.fx import GraphModule

    if not isinstance(graph, GraphModule):
        return None
    inputs = [node for node in graph.graph.nodes if node.op == "placeholder"]
    constants = {**dict(graph.named_buffers()), **dict(graph.named_parameters())}
    width = _width(graph, constants)
    if len(inputs) != 1 or width is None:
        return None
    forms, counter = affine_nodes(graph, inputs[0], width), _counter(graph)
    if (found := _cuts(graph, forms, counter)) is None:
        return None
    cuts, counts = found
    dense = [forms[node] for node in cuts]
    whole = tuple(part.dense() if isinstance(part, Diagonal) else part for part in dense)
    rest = _rest(graph, cuts, counter if counts else None)
    prefix = counter.args[0].args[1].target.rpartition(".")[0] if counter else ""
    image, zeros = (constants.get(f"{prefix}.{name}") for name in ("image", "zeros_are_gaps"))
    return Cut(
        whole,
        rest,
        counts,
        np.full(width, -1) if image is None else image.numpy(),
        np.zeros(width, bool) if zeros is None else zeros.numpy(),
    )


def _width(graph: "GraphModule", constants: dict[str, Any]) -> int | None:
    """Raw features that the graph takes: the check of its inputs has a limit for each."""
    found = [tensor for name, tensor in constants.items() if name.endswith("accepted.most")]
    return len(found[0]) if len(found) == 1 else None


def _counter(graph: "GraphModule") -> Any:
    """The node that counts the missing images of each row (see `regression.models.accepted`), or None."""
    import torch

    aten = torch.ops.aten
    for node in graph.graph.nodes:
        if node.target is aten.sum.dim_IntList and node.args[0].target is aten.eq.Tensor:
            beside = node.args[0].args[1]
            if getattr(beside, "op", "") == "get_attr" and str(beside.target).endswith("image_columns"):
                return node
    return None


def _cuts(graph: "GraphModule", forms: dict[Any, Any], counter: Any) -> tuple[list[Any], bool] | None:
    """The affine nodes that the rest begins with, and whether it needs the count; None where they are too wide."""
    import torch

    [output] = [node for node in graph.graph.nodes if node.op == "output"]
    found: list[Any] = []
    seen, waiting, counts = set(), list(output.all_input_nodes), False
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node is counter:
            counts = True
        elif node in forms:
            found.append(node)
        elif node.target is not torch.ops.aten.sym_size.int:
            waiting += node.all_input_nodes
    in_order = [node for node in graph.graph.nodes if node in found]
    return (in_order, counts) if 0 < sum(forms[node].width for node in in_order) <= WIDEST else None


def _rest(graph: "GraphModule", cuts: list[Any], counter: Any) -> "GraphModule":
    """The graph from the cuts on."""
    import torch
    from torch.fx import Graph, GraphModule

    aten, rest = torch.ops.aten, Graph()
    known: dict[Any, Any] = {node: rest.placeholder(f"cut_{number}") for number, node in enumerate(cuts)}
    first = known[cuts[0]]
    if counter is not None:
        known[counter] = rest.placeholder("missing")
    [output] = [node for node in graph.graph.nodes if node.op == "output"]
    needed = ancestors(output, set(known))
    for node in graph.graph.nodes:
        if node not in needed or node in known or node.op == "placeholder":
            continue  # of the features only the number of rows is asked for
        if node.target is aten.sym_size.int and node.args[1] == 0:
            known[node] = rest.call_function(aten.sym_size.int, (first, 0))
        elif node.target is aten.amin.default and node.args[0].target is aten.cdist.default:
            place, training = node.args[0].args[:2]
            known[node] = rest.call_function(nearest_distance, (known[place], known[training]))
        elif node.target is not aten.cdist.default or any(user.target is not aten.amin.default for user in node.users):
            known[node] = rest.node_copy(node, lambda before: known[before])
    return GraphModule(graph, rest)


def ancestors(output: Any, stop: Container[Any] = ()) -> set[Any]:
    """A node, and all that it is computed from; nothing before the nodes `stop`."""
    found, waiting = set(), [output]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += [] if node in stop else node.all_input_nodes
    return found
