"""Encoders that are trained in the training part of each fold: the pre-trained one, fine-tuned, and convolutions."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from soc_assets.embedding.encoder.architecture import SMALL
from soc_assets.embedding.inputs import EmbeddingInputs
from soc_assets.project import Project
from soc_assets.regression.design.design import Design
from soc_assets.regression.design.windows import with_windows
from soc_assets.regression.encoders.shares import parts_by_share
from soc_assets.regression.encoders.variants import CONVOLUTION, FINE_TUNED, OWN, PUBLISHED, Variant
from soc_assets.regression.evaluation.compare import options_of
from soc_assets.regression.evaluation.engine import Done, run_fits
from soc_assets.regression.evaluation.fold import FoldFit
from soc_assets.regression.finetuning.start import Start
from soc_assets.regression.models.fitted import Options
from soc_assets.regression.models.recipes import NAMED
from soc_assets.settings.evaluation import Recipe

SIDE = 16
"""Pixels around a sample that encoders see which are trained in the folds: the four tokens that meet there."""


def trained_in_folds(
    project: Project, inputs: EmbeddingInputs, design: Design, fold: np.ndarray, variants: Sequence[Variant]
) -> Iterator[tuple[str, list[Done], dict[str, float]]]:
    """The encoders that are trained in the training part of each fold: name, fits, and what their pre-training cost."""
    options = options_of(project)
    group = f"window:{min(SIDE, inputs.spec.choices['image_size'])}"
    design = with_windows(design, project, inputs, [group])
    starts = {variant.name: variant for variant in variants}
    start = next((starts[name] for name in (OWN, PUBLISHED) if name in starts), None)
    if start is not None and (options.device != "cpu" or start.spec.choices["model"] in SMALL):
        of_start = replace(options, start=Start(start.spec, start.checkpoint))
        yield FINE_TUNED, _run_on_windows("finetune", group, design, fold, project, of_start), start.cost
    yield CONVOLUTION, _run_on_windows("convolution", group, design, fold, project, options), {}


def _run_on_windows(
    name: str, group: str, design: Design, fold: np.ndarray, project: Project, options: Options
) -> list[Done]:
    """Fit on windows alone, and beside the point values, on each share of the locations in every fold."""
    settings = project.settings.evaluation
    recipes = [plain(name, features) for features in (group, f"{group}+point")]
    fits = [
        FoldFit(settings.primary, number, f"{name} on {share}", (recipe,), *part)
        for number, share, part in parts_by_share(design, fold, settings)
        for recipe in recipes
    ]
    return run_fits(fits, design, project.results, options, settings.workers, f"encoder_comparison {name}")


def plain(name: str, features: str) -> Recipe:
    """A named recipe for the comparison: three members, no intervals."""
    return NAMED[name].model_copy(update={"features": features, "intervals": False, "members": 3})
