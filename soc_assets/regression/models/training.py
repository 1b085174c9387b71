"""Fitting the MLP: what is fitted on which split, how often each row is visited, and the finished fit.

Everything fitted (statistics, weights) comes from the training split; the validation split only decides when to stop;
the test split is not touched here. Reading data is in `soc_assets.regression.design.data`, the network in
`soc_assets.regression.models.mlp`, its optimisation in `soc_assets.regression.models.epochs`, scoring in
`soc_assets.regression.evaluation.fit_scores`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from soc_assets.errors import TrainingError
from soc_assets.regression.design.data import FeatureTable
from soc_assets.regression.design.standardisation import column_statistics
from soc_assets.regression.models.epochs import EpochReport, Epochs, Part
from soc_assets.runtime.device import out_of_memory, resolve_device
from soc_assets.settings import Training
from soc_assets.storage.scratch import is_mapped

if TYPE_CHECKING:
    import torch

    from soc_assets.regression.models.mlp import SocMlp


@dataclass(frozen=True)
class Fit:
    """A fitted network (on the CPU, in evaluation mode) with the weights of `best_epoch`, and how it was obtained.

    `validated` is False when there was no validation split: then the weights are those of the last epoch. `visits` are
    the rows seen per epoch, repeats by balancing included; `seconds` is wall time.
    """

    network: "SocMlp"
    history: tuple[EpochReport, ...]
    best_epoch: int
    stopped_early: bool
    validated: bool
    visits: int
    device: str
    seconds: float


def fit_mlp(
    table: FeatureTable,
    training: Training,
    balance: str = "resample",
    on_epoch: Callable[[EpochReport], None] | None = None,
    decay: float = 0.0,
) -> Fit:
    """Fit the MLP; the same table, settings, machine and thread count give the same numbers.

    Args:
        table: features and organic carbon of all splits.
        training: the section [training] of the settings.
        balance: `resample` visits each training row `multiplicity` times an epoch, `weights` weighs its squared error
            by `weight` (scaled to a mean of one), `none` does neither.
        on_epoch: called after each epoch.
        decay: weight decay of AdamW; 0 is Adam.

    Raises:
        TrainingError: there is nothing to visit, the loss is not finite, or the device's memory is too small.
        SettingsError: `training.device` is not there.
    """
    started = time.perf_counter()
    device = resolve_device(training.device)
    visits = visited_rows(table, balance)
    with own_random_numbers(training.seed):
        network = _new_network(table, training)
        try:
            train, validation = (_part(network, table, split, balance, device) for split in ("train", "validation"))
            run = Epochs(network.to(device), train, validation, training, decay)
            run.run(visits, on_epoch or (lambda report: None))
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            raise TrainingError(_too_large(table, device, error)) from None
    return Fit(
        network=network.cpu().eval(),
        history=tuple(run.reports),
        best_epoch=run.best_epoch,
        stopped_early=len(run.reports) < training.epochs,
        validated=run.validated,
        visits=len(visits),
        device=str(device),
        seconds=time.perf_counter() - started,
    )


def visited_rows(table: FeatureTable, balance: str) -> np.ndarray:
    """Row numbers within the training split, each as often as an epoch visits it, int64 [v].

    Raises:
        TrainingError: there are no training rows, or all have multiplicity 0.
    """
    rows = table.rows("train")
    if len(rows) == 0:
        raise TrainingError("There are no training samples. Materialise `balanced_samples`, `embeddings`, `features`.")
    if balance != "resample":
        return np.arange(len(rows))
    visits = np.repeat(np.arange(len(rows)), table.multiplicity[rows])
    if len(visits) == 0:
        raise TrainingError(
            f"All {len(rows)} training samples have multiplicity 0. Materialise `balanced_samples` and `features` "
            "again, or set [sampling] balance = 'none'."
        )
    return visits


@contextmanager
def own_random_numbers(seed: int) -> Iterator[None]:
    """Seed torch on every device, and give the caller's random state back afterwards."""
    import torch

    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        try:
            yield
        finally:
            if mps is not None:
                torch.mps.set_rng_state(mps)


def _new_network(table: FeatureTable, training: Training) -> "SocMlp":
    """A network with random weights and the statistics of the training split in its buffers."""
    import torch

    from soc_assets.regression.models.mlp import SocMlp

    network = SocMlp(table.n_features, training.hidden, training.dropout)
    rows = table.rows("train")
    features = column_statistics(table.matrix, rows)
    target = column_statistics(table.organic_carbon[:, None], rows)
    buffers = (network.feature_mean, network.feature_scale, network.target_mean, network.target_scale)
    for buffer, values in zip(buffers, (*features, *target), strict=True):
        buffer.copy_(torch.from_numpy(values).reshape(buffer.shape))
    network.target_most.fill_(float(table.organic_carbon[rows].max()))
    return network


def _part(network: "SocMlp", table: FeatureTable, split: str, balance: str, device: "torch.device") -> Part:
    import torch

    from soc_assets.regression.models.mapped_rows import MappedRows

    rows = table.rows(split)
    if is_mapped(table.matrix):
        x = MappedRows(network, table.matrix, rows, device)
    else:
        x = network.standardise_(torch.from_numpy(table.matrix[rows])).to(device)  # indexing copied it
    y = (torch.from_numpy(table.organic_carbon[rows]) - network.target_mean) / network.target_scale
    weight = torch.ones(len(rows))
    if balance == "weights" and split == "train":
        weight = torch.from_numpy(table.weight[rows] / table.weight[rows].mean())
    return Part(x, y.float()[:, None].to(device), weight.float()[:, None].to(device))


def _too_large(table: FeatureTable, device: "torch.device", error: Exception) -> str:
    other = "Set [training] device = 'cpu', or choose" if device.type != "cpu" else "Choose"
    return (
        f"{table.matrix.shape[0]} x {table.n_features} features do not fit into the memory of {device}. {other} an "
        f"[embedding] pooling with fewer features. ({error})"
    )
