"""The alias `champion` of the registered model: it moves only to a significantly better model.

A version is compared by the out-of-fold predictions of its recipe under the primary scheme, which `evaluation` makes:
better than the present champion and than every simpler baseline beyond the 95 % interval of the paired difference of
R2, on the same samples, drawn by what the scheme holds out; and no other baseline better than it beyond the interval.
For a network every baseline is simpler (docs/decisions/champion.md). Without an evaluation of its recipe on these
features nothing moves.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import pandas as pd

from soc_assets.integrity.invariants import of_out_of_fold
from soc_assets.mapping.registered import Registered
from soc_assets.project import Project
from soc_assets.regression.evaluation.bootstrap import Draws, paired_difference
from soc_assets.regression.inputs import evaluation_inputs
from soc_assets.regression.models.kinds import NETWORK
from soc_assets.regression.models.recipes import CHOSEN, MEAN, rank_of, ranks
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets.storage import files, vouching
from soc_assets.tracking.run import RunRecord, read_record
from soc_assets.tracking.store import MlflowTracking

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "champion"
MODEL_TAG, FEATURES_TAG, DECISION_TAG = "soc.model", "soc.features_set", "soc.champion_decision"
_OUT_OF_FOLD, _CARD = "tables/out_of_fold.csv", "model_card.md"


def promote(project: Project, tracking: MlflowTracking, record: RunRecord) -> str:
    """Move the alias to a version if it is significantly better; returns what was decided, and why, as text.

    Args:
        project: settings and paths.
        tracking: MLflow as the project's settings say.
        record: of the version that may become champion.
    """
    client = tracking.client()
    champion = _champion(client, record.model_name)
    if champion == record.model_version:
        return f"Version {champion} is the champion."
    rows = _evaluated(project)
    if rows is None:
        return "Not compared: there is no evaluation of these features. Run `soc run --to evaluation`."
    own = _of_version(rows, client.get_run(record.run_id).data.tags)
    if own is None:
        return "Not compared: `evaluation` holds no out-of-fold predictions of its recipe."
    words, better = _judge(project, client, rows, own, champion, record)
    client.set_model_version_tag(record.model_name, record.model_version, DECISION_TAG, words[:4900])
    if better:
        record.artifacts.write(_OUT_OF_FOLD, own.drop(columns="key").to_csv(index=False))
        client.set_registered_model_alias(record.model_name, ALIAS, record.model_version)
        tracking.remember()
    return words


@dataclass(frozen=True)
class _Rival:
    """What a version is compared with: must it be better than that, or only not worse, beyond the interval?"""

    name: str
    rows: pd.DataFrame
    beat: bool = True
    key: str = ""

    @property
    def cure(self) -> str:
        """How it would be registered itself."""
        if not self.key or self.key.startswith(MEAN.name + " "):
            return ""
        return (
            f' `recipe = "{"chosen" if self.key.startswith(CHOSEN) else self.key}"` in [training] registers that one.'
        )


def _judge(
    project: Project, client: "MlflowClient", rows: pd.DataFrame, own: pd.DataFrame, champion: str | None, of: RunRecord
) -> tuple[str, bool]:
    """What is said, and whether the version is better than simpler baselines and the champion, and worse than none."""
    settings = project.settings.evaluation
    rivals = _baselines(rows, own, _rank(of), settings)
    if champion is not None:
        former = _remembered(client, of.model_name, champion)
        if former is None:
            return f"Not compared: the predictions of the champion (version {champion}) are gone.", False
        rivals.append(_Rival(f"the champion (version {champion})", former))
    worst: tuple[bool, float, str, str] | None = None
    for rival in rivals:
        both = own.merge(rival.rows[["sample_id", "predicted"]], on="sample_id", suffixes=("", "_rival"))
        draws = Draws.of(both["unit"].to_numpy(), settings.seed, settings.draws)
        observed, first, second = (both[c].to_numpy(float) for c in ("observed", "predicted", "predicted_rival"))
        found = paired_difference(observed, first, second, draws)
        line = (
            f"{found.value:+.3f} R2 against {rival.name} ({found.low:+.3f} to {found.high:+.3f}), {len(both)} samples"
        )
        passed, margin = (found.low > 0, found.low) if rival.beat else (found.high >= 0, found.high)
        if worst is None or (passed, margin) < worst[:2]:
            worst = passed, margin, line if rival.beat else f"{line}, which is not simpler", rival.cure
    passed, _, line, cure = worst or (True, 1.0, "nothing to compare with", "")
    verdict = "Became champion" if passed else "Did not become champion"
    return f"{verdict}: by {settings.primary} folds the closest is {line}.{'' if passed else cure}", passed


def _baselines(rows: pd.DataFrame, own: pd.DataFrame, rank: int, settings: Evaluation) -> list[_Rival]:
    """Every baseline but the version's own recipe; those of lower rank have to be beaten."""
    known, mine = ranks(settings), own["key"].iloc[0]
    parts = {str(key): part for key, part in rows[rows["baseline"]].groupby("key") if key != mine}
    return [_Rival(f"the baseline {key}", part, known[key] < rank, key) for key, part in parts.items()]


def _rank(record: RunRecord) -> int:
    """Of the recipe that was registered; earlier ones, which do not say their kind, are networks."""
    kind, features = (record.params.get(f"fit.{name}") for name in ("kind", "features"))
    if not kind or not features:
        return NETWORK
    return rank_of(Recipe.model_validate({"name": kind, "model": kind, "features": features}))


def _evaluated(project: Project) -> pd.DataFrame | None:
    """Out-of-fold predictions under the primary scheme, of the features and folds as they are now."""
    path, table = project.results / "out_of_fold.parquet", project.results / "evaluation.parquet"
    if not path.is_file() or not vouching.is_fresh(table, evaluation_inputs(project)):
        return None
    rows = files.read_table(path)
    if next(of_out_of_fold(rows), ""):
        return None
    rows = rows[(rows["scheme"] == project.settings.evaluation.primary) & (rows["failed"] == 0)]
    return rows.assign(key=rows["model"] + " on " + rows["features"])


def _of_version(rows: pd.DataFrame, tags: dict[str, str]) -> pd.DataFrame | None:
    own = rows[(rows["model"] == tags.get(MODEL_TAG)) & (rows["features"] == tags.get(FEATURES_TAG))]
    return own[["sample_id", "unit", "observed", "predicted", "key"]] if len(own) else None


def _champion(client: "MlflowClient", name: str) -> str | None:
    aliases = client.get_registered_model(name).aliases
    return str(aliases[ALIAS]) if ALIAS in aliases else None


def _remembered(client: "MlflowClient", name: str, version: str) -> pd.DataFrame | None:
    from soc_assets.tracking.run import read_record

    run_id = client.get_model_version(name, version).run_id
    record = read_record(client, run_id, name) if run_id else None
    stored = record.artifacts.read(_OUT_OF_FOLD) if record else None
    return pd.read_csv(BytesIO(stored), dtype={"sample_id": str}) if stored else None


def read_card(record: RunRecord) -> str | None:
    """The model card in Markdown, where there is one."""
    card = record.artifacts.read(_CARD)
    return card.decode() if card else None


def card_of(tracking: MlflowTracking, registered: Registered) -> str:
    """The card of a version of the registered model; "" where it has none."""
    client = tracking.client()
    run_id = str(client.get_model_version(registered.name, registered.version).run_id)
    record = read_record(client, run_id, registered.name)
    return (read_card(record) if record else None) or ""


def write_card(record: RunRecord, card: str) -> None:
    """Put the model card beside the run's other artifacts."""
    record.artifacts.write(_CARD, card)
