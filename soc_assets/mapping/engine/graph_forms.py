"""The affine part of a served graph: what its nodes compute of the raw features, as forms (see `forms`).

Followed are slices, sums and products with constants, gaps filled with zeros, products with matrices, also block by
block, and joining. Once there is a matrix only factors are followed, so that what several branches use is cut once.
"""

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from soc_assets.mapping.engine.forms import Dense, Diagonal, concatenated, summed

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

WIDEST = 4096
"""Columns of all cuts together, at most."""
Form = Diagonal | Dense


def affine_nodes(graph: "GraphModule", features: "Node", width: int) -> "dict[Node, Form]":
    """The nodes that are affine in the raw features.

    Args:
        graph: exported.
        features: its input [n, width].
        width: raw features.
    """
    walk = _Walk(graph)
    walk.forms[features] = Diagonal.identity(width)
    for node in graph.graph.nodes:
        if node.op == "call_function":
            walk.look_at(node)
    return walk.forms


class _Walk:
    """What is known of the nodes so far: forms, several forms of a node that has several results, and masks."""

    def __init__(self, graph: "GraphModule") -> None:
        import torch

        self._graph, self._aten = graph, torch.ops.aten
        self.forms: dict[Any, Form] = {}
        self._several: dict[Any, list[Form]] = {}
        self._masks: dict[Any, tuple[str, Any]] = {}  # isnan of a node, zeros like a node

    def look_at(self, node: Any) -> None:
        """Note the form of a node, where it has one."""
        aten, target, first = self._aten, node.target, node.args[0] if node.args else None
        form = None if isinstance(first, (list, tuple)) else self.forms.get(first)
        if target is operator.getitem and first in self._several:
            self._note(node, self._several[first][node.args[1]])
        elif target in (aten.cat.default, aten.stack.default) and set(node.args[0]) <= set(self.forms):
            self._join(node, [self.forms[part] for part in node.args[0]])
        elif target is aten.sum.dim_IntList and first in self._several and node.args[1] == [0]:
            self._note(node, summed(self._several[first]))
        elif target is aten.where.self and self._masks.get(first) == ("nan", node.args[2]):
            self._fill(node, node.args[1], self.forms[node.args[2]])
        elif target is aten.to.dtype and form is not None and node.args[1].is_floating_point:
            self._note(node, form)
        elif isinstance(form, Diagonal):
            self._of_diagonal(node, form)
        elif isinstance(form, Dense) and target in (aten.div.Tensor, aten.mul.Tensor):
            factor = constant(self._graph, node.args[1])
            if factor is not None:
                self._note(node, form.times(1 / factor if target is aten.div.Tensor else factor))

    def _note(self, node: Any, form: Form | None) -> None:
        if form is not None:
            self.forms[node] = form

    def _join(self, node: Any, parts: list[Form]) -> None:
        if node.target is self._aten.stack.default:
            if len(node.args) == 1 or node.args[1] == 0:
                self._several[node] = parts
        elif node.args[1] in (1, -1) and sum(part.width for part in parts) <= WIDEST:
            self._note(node, parts[0] if len(parts) == 1 else concatenated(parts))

    def _fill(self, node: Any, zeros: Any, form: Form) -> None:
        if self._masks.get(zeros, ("", None))[0] == "zeros" and isinstance(form, Diagonal):
            self._note(node, form.filled(0.0))

    def _of_diagonal(self, node: Any, form: Diagonal) -> None:
        aten = self._aten
        if node.target is aten.isnan.default:
            self._masks[node] = ("nan", node.args[0])
        elif node.target is aten.zeros_like.default:
            self._masks[node] = ("zeros", node.args[0])
        elif node.target in (aten.split.Tensor, aten.split_with_sizes.default):
            self._several[node] = _split(form, node.args[1:])
        elif node.target in (aten.linear.default, aten.matmul.default, aten.mm.default):
            if form.fill is not None:
                self._note(node, self._product(node, form))
        else:
            self._note(node, self._elementwise(node, form))

    def _product(self, node: Any, form: Diagonal) -> Dense | None:
        matrix = constant(self._graph, node.args[1])
        if matrix is None or matrix.ndim < 2:
            return None
        if node.target is not self._aten.linear.default:
            return form.dense(matrix)
        bias = constant(self._graph, node.args[2]) if len(node.args) > 2 else np.zeros(1)
        return None if bias is None else form.dense(matrix.T, bias)

    def _elementwise(self, node: Any, form: Diagonal) -> Diagonal | None:
        """A diagonal form after a slice, a sum or a product with constants, or None."""
        aten, graph = self._aten, self._graph
        if node.target is aten.slice.Tensor:
            axis, start, stop = (*node.args[1:], *(0, 0, 2**63 - 1)[len(node.args) - 1 :])
            return form if axis == 0 else form.take(slice(start, stop)) if len(node.args) < 5 else None
        if node.target is aten.index_select.default and node.args[1] == 1:
            index = constant(graph, node.args[2])
            return None if index is None else form.take(index.astype(np.int64))
        kinds = {aten.sub.Tensor: "sub", aten.add.Tensor: "add", aten.mul.Tensor: "mul", aten.div.Tensor: "div"}
        kind = kinds.get(node.target)
        value = constant(graph, node.args[1]) if kind and not node.kwargs else None
        if kind is None or value is None or value.size not in (1, form.width):
            return None
        value = value.reshape(-1)
        if kind in ("sub", "add"):
            return form.plus(-value if kind == "sub" else value)
        return form.times(1 / value if kind == "div" else value)


def constant(graph: "GraphModule", value: Any) -> np.ndarray | None:
    """The number, or what the graph keeps, also split or in another precision, in double precision; None elsewhere."""
    import torch
    from torch.fx import Node

    if not isinstance(value, Node):
        return np.array(value, np.float64)
    aten, node = torch.ops.aten, cast(Any, value)
    if node.op == "get_attr":
        found: Any = graph
        for name in str(node.target).split("."):
            found = getattr(found, name)
        return found.detach().numpy().astype(np.float64)
    if node.target is aten.to.dtype:
        return constant(graph, node.args[0])
    if node.target is operator.getitem and getattr(node.args[0], "target", None) is aten.split.Tensor:
        whole, size, *axis = node.args[0].args
        found = constant(graph, whole)
        if found is None or axis not in ([], [0]):
            return None
        first = int(size) * int(node.args[1])
        return found[first : first + int(size)]
    return None


def _split(form: Diagonal, arguments: Sequence[Any]) -> list[Form]:
    """The parts of a form that is split along its columns; none where along its rows."""
    sizes, axis = arguments[0], arguments[1] if len(arguments) > 1 else 0
    if axis not in (1, -1):
        return []
    edges = range(0, form.width, sizes) if isinstance(sizes, int) else np.cumsum([0, *sizes[:-1]]).tolist()
    lengths = [sizes] * len(edges) if isinstance(sizes, int) else sizes
    return [form.take(slice(first, first + length)) for first, length in zip(edges, lengths, strict=True)]
