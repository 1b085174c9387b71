"""The files of a run: in MLflow's folder, or behind an MLflow server.

What the files are is decided in `soc_assets.tracking.run` and `soc_assets.tracking.champion`.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import url2pathname

from soc_assets.storage import files

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Artifacts:
    """Of one run.

    Attributes:
        run_id: MLflow's.
        uri: where they are.
        client: of the MLflow that has the run.
    """

    run_id: str
    uri: str
    client: "MlflowClient" = field(compare=False, repr=False)

    @property
    def folder(self) -> Path | None:
        """The folder that they are in; None where a server has them."""
        return folder_of(self.uri)

    def names(self, folder: str = "") -> list[str]:
        """Files directly in the folder, or in one of those in it, in order; none where it is not there."""
        found = self.client.list_artifacts(self.run_id, folder or None)
        return sorted(item.path for item in found if not item.is_dir)

    def read(self, name: str) -> bytes | None:
        """What a file holds; None where there is none."""
        if self.folder:
            path = self.folder / name
            return path.read_bytes() if path.is_file() else None
        if name not in self.names(name.rpartition("/")[0]):
            return None
        with tempfile.TemporaryDirectory() as here:
            return Path(self.client.download_artifacts(self.run_id, name, here)).read_bytes()

    def write(self, name: str, text: str) -> None:
        """Put a file there, also in the place of another."""
        if self.folder:
            files.write_text(self.folder / name, text)
            return
        parent, _, own = name.rpartition("/")
        with tempfile.TemporaryDirectory() as here:
            path = Path(here, own)
            path.write_text(text, encoding="utf-8")
            self.client.log_artifact(self.run_id, str(path), parent or None)


def folder_of(uri: str) -> Path | None:
    """The folder that a URI of MLflow's means; None where it is not a folder."""
    parts = urlparse(uri)
    return Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None
