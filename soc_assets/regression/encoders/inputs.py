"""What decides the comparison of encoders."""

from soc_assets.pretraining.inputs import output_of, pretraining_inputs, start_of
from soc_assets.project import Project
from soc_assets.regression.finetuning import start
from soc_assets.regression.inputs import fits_inputs
from soc_assets.storage import digest

NAME = "encoder_comparison"  # of the asset and its table
VERSION = "2"  # of the code: raise it when the table changes


def comparison_inputs(project: Project) -> str:
    """Digest of features, folds and settings of the evaluation, and of the checkpoints that there are."""
    there = [path for path in (project.checkpoint, start_of(project), output_of(project)) if path and path.is_file()]
    contents = [digest.of_file(path) for path in there]
    return digest.of_inputs(VERSION, start.VERSION, fits_inputs(project), contents, pretraining_inputs(project))
