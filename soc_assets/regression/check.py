"""Whether the metrics of a training run are plausible, and whether the model is of any use."""

from collections.abc import Iterator, Mapping
from math import isfinite

from soc_assets.integrity.schemas import SPLITS
from soc_assets.reporting.findings import Finding, of_output

CHECKS = ("metrics_sane", "better_than_mean")
DIVERGED = 10.0  # times the training loss of the first epoch
WORST_RMSE = 1000.0  # g/kg: pure carbon
MEND = (
    "The run is marked as failed and its model is no longer registered. Lower [training] learning_rate, or look for "
    "wrong organic carbon and rasters with `soc check`; `soc run` trains again."
)


def check_run(where: str, metrics: Mapping[str, float], best_epoch: int, weights: str) -> list[Finding]:
    """Everything wrong with a run.

    Args:
        where: names the run.
        metrics: `test_r2`, `test_rmse`, `baseline_test_rmse`, ...; those that were not finite are left out.
        best_epoch: whose weights the model has, from 1.
        weights: label of the encoder's weights, said beside the comparison with the mean.
    """
    findings = [of_output("metrics_sane", "error", where, found, MEND) for found in _not_sane(metrics, best_epoch)]
    found, baseline = metrics.get("test_rmse"), metrics.get("baseline_test_rmse")
    if found is not None and baseline is not None and found >= baseline:
        words = f"on the test split its RMSE is {compared(metrics)}: it has learnt nothing (embeddings: {weights})"
        cure = "Other embeddings ([embedding] stage, pooling, checkpoint) or more samples may help; a user decides."
        findings.append(of_output("better_than_mean", "warning", where, words, cure))
    return findings


def compared(metrics: Mapping[str, float]) -> str:
    """The test RMSE next to that of the mean predictor, as text."""
    mine, mean = (metrics.get(name) for name in ("test_rmse", "baseline_test_rmse"))
    if mine is None or mean is None:
        return "unknown: there is no test split"
    return f"{mine:.2f} g/kg, that of the training split's mean {mean:.2f} g/kg"


def _not_sane(metrics: Mapping[str, float], best_epoch: int) -> Iterator[str]:
    if best_epoch < 1:
        yield f"its best epoch is {best_epoch}"
    for split in SPLITS:
        if metrics.get(f"{split}_n", 0) == 0:
            continue
        rmse, r2 = metrics.get(f"{split}_rmse"), metrics.get(f"{split}_r2")
        if rmse is None or not isfinite(rmse):
            yield f"its RMSE on the {split} split is not finite"
        elif rmse > WORST_RMSE:
            yield f"its RMSE on the {split} split is {rmse:.3g} g/kg, more than pure carbon has"
        elif rmse <= 0:
            yield f"its RMSE on the {split} split is {rmse:g}: predictions without any error do not occur"
        if r2 is not None and not r2 <= 1:
            yield f"its R2 on the {split} split is {r2:g}, and cannot exceed 1"
    if (growth := metrics.get("loss_growth", 0)) > DIVERGED:
        yield f"training has diverged: the loss of its last epoch is {growth:.3g} times that of the first"
