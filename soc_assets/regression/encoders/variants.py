"""The ways of embedding that are compared: random weights, a published checkpoint, one's own pre-training, and PCA."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from soc_assets.embedding.spec import Spec
from soc_assets.errors import TrainingError
from soc_assets.pretraining.inputs import NAME, output_of, start_of
from soc_assets.project import Project
from soc_assets.storage import digest

RANDOM, OWN, PUBLISHED, PCA = "random", "own pre-training", "published", "pca_window"


@dataclass(frozen=True)
class Variant:
    """A way of embedding.

    Attributes:
        name: in tables.
        spec: the project's, with these weights.
        checkpoint: the file; None for random weights and PCA.
        facts: of its pre-training: images_seen, seconds, device.
    """

    name: str
    spec: Spec
    checkpoint: Path | None
    facts: dict[str, Any]


def variants_of(project: Project, spec: Spec) -> list[Variant]:
    """Every way that the project can embed: random and PCA always, checkpoints where there are some.

    The published checkpoint is [embedding] checkpoint, or [pretraining] start, if it is not the project's own.

    Raises:
        TrainingError: the embeddings are those of the patch embedding alone, in which pre-training hardly shows.
    """
    embedding = project.settings.embedding
    if embedding.stage != "encoder":
        raise TrainingError(
            "Encoders are compared by what comes out of them: set stage = 'encoder' in [embedding] of soc.toml "
            f"(now {embedding.stage!r}), and `soc run --to features`."
        )
    found = [Variant(RANDOM, _with(spec, {"seed": embedding.weights_seed}), None, {})]
    own, given = output_of(project), project.checkpoint or start_of(project)
    if given and given.is_file() and given.resolve() != own.resolve():
        found.append(Variant(PUBLISHED, _with(spec, {"sha256": digest.of_file(given, 64)}), given, {}))
    if own.is_file():
        from soc_assets.pretraining.summary import read_summary

        _, facts = read_summary(project.results / f"{NAME}.parquet")
        _require_fit(project, facts)
        found.append(Variant(OWN, _with(spec, {"sha256": digest.of_file(own, 64)}), own, facts))
    return [*found, Variant(PCA, _with(spec, {"seed": embedding.weights_seed}), None, {})]


def _with(spec: Spec, weights: dict[str, Any]) -> Spec:
    return replace(spec, choices={**spec.choices, "weights": weights})


def _require_fit(project: Project, facts: dict[str, Any]) -> None:
    """Refuse to compare an encoder that was pre-trained on other images than it would embed."""
    embedding = project.settings.embedding
    for name in ("model", "arrangement", "normalise"):
        if facts.get(name) != (wanted := getattr(embedding, name)):
            raise TrainingError(
                f"The pre-trained encoder was made with {name} = {facts.get(name)!r}, and [embedding] in soc.toml says "
                f"{wanted!r}. Correct it, or run `soc pretrain` again."
            )
