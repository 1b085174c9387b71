"""A registered model as a prediction needs it: the loaded graph, and what it was fitted on."""

from dataclasses import dataclass
from typing import Any

from soc_assets.settings import Features, Study
from soc_assets.storage import digest


@dataclass(frozen=True)
class Registered:
    """The loaded model, its origin, and what it was fitted on.

    Attributes:
        model: has `predict` of raw features [n, d]; None where it is only described.
        uri: what it is called.
        spec: digest of the embedding spec.
        features: the feature set.
        most_missing: images that a training sample lacks at most; None where the model was registered without it.
        vector: how its features are put together; None takes [features] of the settings.
        study: its years; None takes [study] of the settings.
        recipe: that it was fitted by.
        weights: `pretrained (sha256 ...)` or `random (seed ...)`: of the embeddings.
        files: SHA-256 of the model's files, or what stands for them behind a server.
        level: share of samples that its intervals should cover; None where its run does not say.
    """

    model: Any
    uri: str
    spec: str
    features: str
    most_missing: int | None = None
    vector: Features | None = None
    study: Study | None = None
    recipe: str = ""
    weights: str = ""
    files: str = ""
    level: float | None = None

    @property
    def name(self) -> str:
        """Name of the registered model."""
        return self.uri.split("/")[1] if self.uri.startswith("models:/") else self.uri

    @property
    def version(self) -> str:
        """Its version."""
        return self.uri.rpartition("/")[2]

    @property
    def digest(self) -> str:
        """Digest of all that decides a prediction beside the place and the rasters; names the folder of its maps."""
        settings = [part.model_dump(mode="json") if part else None for part in (self.vector, self.study)]
        return digest.of_values([self.files or self.uri, self.spec, self.features, self.most_missing, settings])[:10]
