"""What becomes of the files of a finished project, and putting them right."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from soc_assets.errors import SocWarning
from soc_assets.pipeline import repairs
from soc_assets.project import Project
from soc_assets.storage import files
from soc_assets_tests import spoil


def deleted(path: Path) -> None:
    path.unlink()


def older(path: Path) -> None:
    """A sound table of another moment: with a row less or more."""
    frame = files.read_table(path)
    other = frame.iloc[:-1] if len(frame) else pd.DataFrame([dict.fromkeys(frame)]).astype(frame.dtypes)
    files.write_table(path, other, files.table_metadata(path))


DAMAGES: dict[str, Callable[[Path], None]] = {**spoil.DAMAGES, "deleted": deleted, "older": older}


def mend(project: Project) -> list[str]:
    """Put right what can be; returns what was said."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", SocWarning)
        repairs.mend(project)
    return [str(item.message) for item in told]
