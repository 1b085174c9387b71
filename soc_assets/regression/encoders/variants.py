"""The ways of embedding that are compared: random weights, a published checkpoint, one's own pre-training, and PCA."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from soc_assets.embedding.spec import Spec
from soc_assets.embedding.spec_choices import with_group_size
from soc_assets.errors import SocWarning, TrainingError
from soc_assets.pretraining.inputs import NAME, output_of, start_of
from soc_assets.pretraining.summary import read_summary
from soc_assets.project import Project
from soc_assets.storage import digest
from soc_assets.storage.access import kept_copy
from soc_assets.storage.vouching import wrong

RANDOM, OWN, PUBLISHED, PCA = "random", "own pre-training", "published", "pca_window"
FINE_TUNED, CONVOLUTION = "fine-tuned", "convolution"


@dataclass(frozen=True)
class Variant:
    """A way of embedding.

    Attributes:
        name: in tables.
        spec: the project's, with these weights.
        checkpoint: the file; None for PCA, and for random weights, which are those that a pre-training begins with.
        facts: of its pre-training: images_seen, seconds, device.
    """

    name: str
    spec: Spec
    checkpoint: Path | None
    facts: dict[str, Any]

    @property
    def cost(self) -> dict[str, float]:
        """What its pre-training took, where there was one."""
        return {
            "images_seen": float(self.facts.get("images_seen", "nan")),
            "pretraining_seconds": float(self.facts.get("seconds", "nan")),
        }


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
    found = [Variant(RANDOM, spec, None, {})]
    own = kept_copy(output_of(project), project.scratch)
    given = [path for path in (project.checkpoint, start_of(project)) if path]
    others = [path for path in given if path.is_file() and path.resolve() != own.resolve()]
    if others:
        found.append(Variant(PUBLISHED, _of_file(spec, others[0]), others[0], {}))
    if own.is_file() and (facts := _facts_of_own(project)) is not None:
        found.append(Variant(OWN, _of_file(spec, own), own, facts))
    return [*found, Variant(PCA, spec, None, {})]


def _of_file(spec: Spec, path: Path) -> Spec:
    """The spec with the weights of a checkpoint, and the group size that it has."""
    choices = {**spec.choices, "weights": {"sha256": digest.of_file(path, 64)}}
    choices.pop("t_patch_size", None)
    return replace(spec, choices=with_group_size(choices, path))


def _facts_of_own(project: Project) -> dict[str, Any] | None:
    """What is known of the project's own pre-training; None where it is of other images than would be embedded."""
    table, embedding = project.results / f"{NAME}.parquet", project.settings.embedding
    if not table.is_file() or wrong(table):
        warnings.warn(f"{output_of(project)} is left out: it is not that of {table.name}.", SocWarning, 2)
        return None
    _, facts = read_summary(table)
    for name in ("model", "arrangement", "normalise", "image_size"):
        if facts.get(name) != (wanted := getattr(embedding, name)):
            words = f"{name} = {facts.get(name)!r}, and [embedding] in soc.toml says {wanted!r}"
            warnings.warn(
                f"Your own pre-training is left out: it was made with {words}. Run `soc pretrain`.", SocWarning, 2
            )
            return None
    return facts
