"""What a database shows, and what its views are made of."""

from dataclasses import dataclass
from pathlib import Path

from soc_assets.embedding.spec import Spec
from soc_assets.features.sql.tables import SCHEMAS, glob_of, literal
from soc_assets.settings import Features, Study
from soc_assets.storage.access import is_stored

Columns = dict[str, str]  # name -> comment


@dataclass(frozen=True)
class View:
    """A view: its query, what a row is, and its columns with their comments, in order."""

    sql: str
    comment: str
    columns: Columns


@dataclass(frozen=True)
class Contents:
    """What a database shows.

    Attributes:
        data: the data folder.
        spec: whose embeddings; not yet frozen where nothing was embedded.
        features: how the vector is put together.
        study: gives the years when steps are aligned by calendar.
    """

    data: Path
    spec: Spec
    features: Features
    study: Study

    @property
    def folder(self) -> Path:
        """The folder of the spec's batches."""
        return self.data / "embeddings" / self.spec.digest

    @property
    def by_band(self) -> Path:
        """The folder of their copies with a column per band and lag, where the batches are."""
        return self.data / "by_band" / self.spec.digest

    def without_rows(self, name: str) -> Path:
        """The file without rows of a table whose columns the spec decides; on storage, where hosts differ, by spec."""
        return self.data / SCHEMAS / f"{name}{f'_{self.spec.digest}' if is_stored(self.data) else ''}.parquet"


def batch_files(contents: Contents, function: str = "read_parquet") -> str:
    """A table function over the file without rows and all batches of the spec, as they are at query time."""
    schema = contents.without_rows("embeddings")
    batches = f"{glob_of(contents.folder)}/batch_*_size_*.parquet"
    return f"{function}([{literal(glob_of(schema))}, {literal(batches)}], allow_empty = true)"
