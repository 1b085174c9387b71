"""Several small MLPs as one torch module, and fitting them together: the field's recipe.

The members differ in their initial weights, in the order of samples and in dropout; their weights lie in one tensor per
layer, so that one batched product serves all (5 members cost about as much as 1.5 trained one after the other). AdamW
with decoupled weight decay (Loshchilov and Hutter, ICLR 2019) under a one-cycle learning rate (Smith and Topin 2018),
deep ensembles after Lakshminarayanan et al. (NeurIPS 2017). What goes in is standardised already, target too: see
`model`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from soc_assets.errors import TrainingError
from soc_assets.runtime import interrupts

_FEWEST_STEPS, _SMALLEST_BATCH = 16, 16  # an epoch of few samples has 16 steps, if they hold 16 samples each


@dataclass(frozen=True)
class Schedule:
    """How the members are optimised; `on_epoch` may stop the fit by raising (a tuner prunes this way)."""

    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    seed: int = 42
    device: str = "cpu"


class EnsembleMlp(nn.Module):
    """S multi-layer perceptrons evaluated together, GELU (or ReLU) and dropout after each hidden layer."""

    def __init__(self, members: int, n_features: int, hidden: Sequence[int], dropout: float, activation: str = "gelu"):
        super().__init__()
        widths = (n_features, *hidden, 1)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for before, after in pairwise(widths):
            bound = 1 / math.sqrt(before)  # as nn.Linear is initialised
            self.weights.append(nn.Parameter(torch.empty(members, before, after).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(members, 1, after).uniform_(-bound, bound)))
        self.members, self.dropout, self.activation = members, dropout, activation

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [S, n] from features [n, d], or [S, n, d] where each member sees its own rows."""
        z = x.expand(self.members, -1, -1) if x.dim() == 2 else x
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = torch.baddbmm(bias, z, weight)  # [S, n, width]
            if layer < last:
                z = functional.gelu(z) if self.activation == "gelu" else functional.relu(z)
                z = functional.dropout(z, self.dropout, self.training)
        return z.squeeze(2)


def fit_ensemble(
    network: EnsembleMlp,
    x: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    schedule: Schedule,
    on_epoch: Callable[[int, float], None] | None = None,
) -> EnsembleMlp:
    """Fit all members; ends in evaluation mode, on the CPU.

    Args:
        network: fresh members.
        x: [n, d] float32, standardised, without NaN.
        y: [n] float32, standardised target.
        weight: [n] weights of the squared errors.
        schedule: epochs, learning rate and the like; mixed precision is used on CUDA.
        on_epoch: told the number of each epoch done and its loss.

    Raises:
        TrainingError: the loss is not finite.
    """
    with _one_thread():
        return _fit(network, x, y, weight, schedule, on_epoch or (lambda epoch, loss: None))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Matrices this small gain little from a second thread, and on a busy machine its waiting costs many times that."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fit(
    network: EnsembleMlp,
    x: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    schedule: Schedule,
    on_epoch: Callable[[int, float], None],
) -> EnsembleMlp:
    device = torch.device(schedule.device)
    amp = device.type == "cuda"
    network.to(device).train()
    rows_x, rows_y, rows_w = (torch.as_tensor(v, dtype=torch.float32, device=device) for v in (x, y, weight))
    n = len(rows_x)
    batch = max(1, min(schedule.batch_size, max(n // _FEWEST_STEPS, _SMALLEST_BATCH), n))
    steps = n // batch
    optimizer = torch.optim.AdamW(  # fused: a third of the time of a fit less, the same numbers up to rounding
        network.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, total_steps=steps * schedule.epochs, pct_start=0.3
    )
    shuffle = torch.Generator().manual_seed(schedule.seed)
    for epoch in range(1, schedule.epochs + 1):
        order = torch.argsort(torch.rand(network.members, n, generator=shuffle), dim=1).to(device)
        total = torch.zeros((), device=device)
        for step in range(steps):
            interrupts.check()
            rows = order[:, step * batch : (step + 1) * batch]  # [S, b]
            with torch.autocast(device.type, torch.bfloat16, enabled=amp):
                error = network(rows_x[rows]).float() - rows_y[rows]
            loss = (rows_w[rows] * error**2).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.mul(network.members).backward()  # the gradient of each member is that of its own mean
            optimizer.step()
            cycle.step()
            total += loss.detach()
        _refuse_if_not_finite(total.item() / steps, epoch, schedule)
        on_epoch(epoch, total.item() / steps)
    return network.cpu().eval()


def _refuse_if_not_finite(loss: float, epoch: int, schedule: Schedule) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"The training loss became {loss} in epoch {epoch}. Lower the recipe's learning_rate "
            f"(now {schedule.learning_rate})."
        )
