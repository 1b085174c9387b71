"""The scores of a model as `soc run` shows them, with what they are to be compared with, and what raises them."""

from collections.abc import Iterator, Mapping

from soc_assets.project import Project
from soc_assets.storage import files
from soc_assets.tracking.known import Scored


def score_rows(project: Project, record: Scored) -> Iterator[tuple[str, str]]:
    """Pairs of a label and text: test split, its yardsticks, validation split, and the model's name."""
    metrics = record.metrics
    yield "test", _scores(metrics, "test")
    yield from _yardsticks(project, metrics)
    yield "validation", _scores(metrics, "validation")
    yield "model", record.model_uri


def how_to_raise(project: Project, weights: str) -> str:
    """What usually predicts better than the documented MLP on random weights; empty for anything else."""
    if project.settings.training.recipe != "documented":
        return ""
    pretrained = "; [embedding] checkpoint takes pre-trained weights" if weights.startswith("random") else ""
    return f'Better models: recipe = "chosen" in [training] of soc.toml takes the best of several{pretrained}.'


def _scores(metrics: Mapping[str, float], split: str) -> str:
    from soc_assets.regression.evaluation.single_split import HIGH, LOW

    low, high = (metrics.get(end.format(split=split)) for end in (LOW, HIGH))
    interval = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    r2, rmse, mae = (metrics.get(f"{split}_{name}", float("nan")) for name in ("r2", "rmse", "mae"))
    return f"R2 {r2:.3f}{interval}   RMSE {rmse:.2f} g/kg   MAE {mae:.2f} g/kg"


def _yardsticks(project: Project, metrics: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """On the same test samples: coordinates alone and, for the demo, what its noise allows."""
    from soc_assets.demo.attainable import attainable_r2
    from soc_assets.regression.evaluation.single_split import BY_PLACE

    if BY_PLACE in metrics:
        yield "  coordinates alone", f"R2 {metrics[BY_PLACE]:.3f}   (a random forest)"
    predictions = files.known_table(project.results / "predictions.parquet", ["sample_id", "split", "observed"])
    samples = files.known_table(project.samples("samples"), ["sample_id", "file", "longitude", "latitude", "year"])
    if predictions is None or samples is None:
        return
    test = predictions[predictions["split"] == "test"].merge(samples, on="sample_id")
    if (most := attainable_r2(project.soil, test)) is not None:
        yield "  the most possible", f"R2 {most:.3f}   (known here: the region and its noise are synthetic)"
