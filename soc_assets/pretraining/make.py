"""From the project's rasters to a checkpoint and how it went, on one process or several."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from soc_assets.errors import TrainingError
from soc_assets.pretraining.inputs import NAME, figures_of, output_of
from soc_assets.pretraining.session import open_session, state_of, train
from soc_assets.pretraining.summary import read_summary
from soc_assets.project import Project
from soc_assets.storage import files


@dataclass(frozen=True)
class Pretrained:
    """What a pre-training has made.

    Attributes:
        path: the checkpoint.
        figures: PNG files, of the loss and of reconstructions.
        curve: a row per evaluation; see `Run`.
        facts: model, sizes, images seen, seconds, device.
    """

    path: Path
    figures: tuple[Path, ...]
    curve: pd.DataFrame
    facts: dict[str, Any]


def make_pretrained(project: Project, inputs: str) -> Pretrained:
    """Pre-train, or go on where an interrupted run of the same inputs was, and write checkpoint and table.

    Args:
        project: settings and paths.
        inputs: from `pretraining_inputs`.
    """
    _forget_others(state_of(project, inputs))
    if project.settings.pretraining.processes > 1:
        from soc_assets.pretraining.distributed import train_together

        train_together(project, inputs)
    else:
        train(project, inputs, open_session(project))
    table = project.results / f"{NAME}.parquet"
    if files.read_metadata(table).get(files.INPUTS) != inputs:
        raise TrainingError("The pre-training ended without a result. Run again: it goes on where it was.")
    curve, facts = read_summary(table)
    figures = tuple(path for path in figures_of(project).values() if path.is_file())
    return Pretrained(output_of(project), figures, curve, facts)


def _forget_others(state: Path) -> None:
    """Of states of other settings or rasters keep the newest: somebody may want to go back to them."""
    others = [path for path in state.parent.glob("*.pt") if path != state]
    for old in sorted(others, key=lambda path: path.stat().st_mtime_ns)[:-1]:
        files.remove(old)
