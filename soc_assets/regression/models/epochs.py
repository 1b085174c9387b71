"""The optimisation: Adam steps over shuffled visits, the validation loss after each epoch, early stopping.

Works on standardised tensors that already lie on the device; preparing them, and what is fitted on which split, is in
`soc_assets.regression.models.training`.
"""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from soc_assets.errors import SocWarning, TrainingError
from soc_assets.regression.metrics import r_squared
from soc_assets.runtime import interrupts
from soc_assets.settings import Training

if TYPE_CHECKING:
    import torch

    from soc_assets.regression.models.mapped_rows import MappedRows
    from soc_assets.regression.models.mlp import SocMlp

_EVALUATION_ROWS = 2048


@dataclass(frozen=True)
class EpochReport:
    """One epoch. Losses are mean squared errors of the standardised target.

    `train_loss` is the average over the steps of the epoch, with dropout and balancing. The validation fields are taken
    after the epoch, without either, and NaN without a validation split; `validation_rmse` is in g/kg.
    """

    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float
    validation_rmse: float
    validation_r2: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Part:
    """One split on the device: standardised features x [m, d], standardised target y [m, 1], loss weights [m, 1].

    Features larger than memory are read from disk when they are wanted.
    """

    x: "torch.Tensor | MappedRows"
    y: "torch.Tensor"
    weight: "torch.Tensor"


class Epochs:
    """One fit in progress: the optimizer, the reports so far, and the best weights so far."""

    def __init__(self, network: "SocMlp", train: Part, validation: Part, training: Training, decay: float = 0.0):
        import torch

        self.network, self.train, self.validation, self.training = network, train, validation, training
        self.parameters = list(network.parameters())
        first = {
            "params": list(network.first.parameters()),
            "lr": training.learning_rate * _input_rate(network, training),
        }
        groups = [first, {"params": list(network.rest.parameters())}]
        # fused: one pass over weights, gradients and moments. The widest gradient keeps its memory between steps (see
        # `step`). Measured on two cores at 19,968 features and batch 32: 60 ms a step plain, 28 fused, 16 with both.
        adam = {"lr": training.learning_rate, "fused": True}
        self.optimizer = (
            torch.optim.AdamW(groups, weight_decay=decay, **adam) if decay else torch.optim.Adam(groups, **adam)
        )
        for parameter in network.first.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.reports: list[EpochReport] = []
        self.best_epoch, self.best_loss = 0, math.inf
        self.best_weights = [parameter.detach().clone() for parameter in self.parameters]

    @property
    def validated(self) -> bool:
        """Whether there is a validation split to stop early by."""
        return len(self.validation.x) > 0

    def run(self, visits: np.ndarray, on_epoch: Callable[[EpochReport], None]) -> None:
        """Train until the epochs are done or the validation loss no longer falls; the network keeps the best weights.

        Args:
            visits: row numbers of the training part, each as often as an epoch visits it, int64 [v].
            on_epoch: called after each epoch.

        Raises:
            TrainingError: a loss is not finite.
        """
        import torch

        if not self.validated:
            self._say_that_nothing_stops_early()
        shuffle = np.random.default_rng(self.training.seed)
        for epoch in range(1, self.training.epochs + 1):
            report = self._epoch(epoch, torch.from_numpy(shuffle.permutation(visits)).to(self.train.x.device))
            self.reports.append(report)
            on_epoch(report)
            self._keep_if_best(report)
            if epoch - self.best_epoch >= self.training.patience:
                break
        with torch.no_grad():
            for parameter, best in zip(self.parameters, self.best_weights, strict=True):
                parameter.copy_(best)

    def step(self, rows: "torch.Tensor") -> "torch.Tensor":
        """One Adam step on some training rows [b]; returns their mean loss.

        The gradient of the first layer is written into memory that is kept: letting autograd allocate 41 MB each time
        per step costs as much as computing it.
        """
        import torch

        x, y, weight = (tensor.index_select(0, rows) for tensor in (self.train.x, self.train.y, self.train.weight))
        first, rest = self.network.first, self.network.rest
        rest.zero_grad(set_to_none=True)
        with torch.no_grad():
            outputs = first(x)  # [b, hidden]
        outputs.requires_grad_()
        loss = (weight * (rest(outputs) - y) ** 2).mean()
        loss.backward()
        torch.mm(outputs.grad.t(), x, out=first.weight.grad)  # [hidden, d]
        torch.sum(outputs.grad, dim=0, out=first.bias.grad)
        self.optimizer.step()
        return loss.detach()

    def _epoch(self, epoch: int, order: "torch.Tensor") -> EpochReport:
        import torch

        started = time.perf_counter()
        self.network.train()
        total = torch.zeros((), device=order.device)
        for rows in order.split(self.training.batch_size):
            interrupts.check()
            total += self.step(rows) * len(rows)
        train_loss = total.item() / len(order)
        self._refuse_if_not_finite(train_loss, epoch)
        loss, rmse, r2 = self._validate() if self.validated else (math.nan,) * 3
        seconds = time.perf_counter() - started
        return EpochReport(
            epoch, self.training.epochs, train_loss, loss, rmse, r2, self.training.learning_rate, seconds
        )

    def _validate(self) -> tuple[float, float, float]:
        """Loss (standardised), RMSE (g/kg) and R2 on the validation split, without dropout and balancing."""
        import torch

        self.network.eval()
        with torch.inference_mode():
            outputs = torch.cat([self.network.hidden(x) for x in self.validation.x.split(_EVALUATION_ROWS)])
            loss = ((outputs - self.validation.y) ** 2).mean().item()
        r2 = r_squared(self.validation.y[:, 0].cpu().numpy(), outputs[:, 0].cpu().numpy())
        return loss, math.sqrt(loss) * self.network.target_scale.item(), r2

    def _keep_if_best(self, report: EpochReport) -> None:
        if self.validated and not report.validation_loss < self.best_loss:
            return
        self.best_epoch, self.best_loss = report.epoch, report.validation_loss
        for best, parameter in zip(self.best_weights, self.parameters, strict=True):
            best.copy_(parameter.detach())

    def _refuse_if_not_finite(self, loss: float, epoch: int) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"The training loss became {loss} in epoch {epoch}. Lower [training] learning_rate (now "
                f"{self.training.learning_rate}); if that does not help, set [embedding] normalise = 'band' and look "
                "at the statistics in `raster_catalog` for fill values that are read as data."
            )

    def _say_that_nothing_stops_early(self) -> None:
        warnings.warn(
            f"There are no validation samples: all {self.training.epochs} epochs are trained and the last weights "
            "kept. Set [sampling] validation_fraction above 0 for early stopping.",
            SocWarning,
            stacklevel=4,
        )


def _input_rate(network: "SocMlp", training: Training) -> float:
    """The first layer's share of the learning rate: with Adam a layer's rate goes with one over its inputs.

    Source: Yang et al., "Tensor Programs V", 2022, table 3, here relative to the layers after it.
    """
    layer = network.first
    return min(1.0, layer.out_features / layer.in_features) if training.scale_input_rate else 1.0
