"""The alias `champion` of the registered model: it moves only to a significantly better model.

A version is compared by the out-of-fold predictions of its recipe under the primary scheme, which `evaluation` makes:
better than the present champion and than every baseline beyond the 95 % interval of the paired difference of R2, on the
same samples, drawn by what the scheme holds out. Without an evaluation of its recipe on these features nothing moves.
"""

from io import BytesIO
from typing import TYPE_CHECKING

import pandas as pd

from soc_assets.integrity.invariants import of_out_of_fold
from soc_assets.project import Project
from soc_assets.regression.evaluation.bootstrap import Draws, paired_difference
from soc_assets.regression.inputs import evaluation_inputs
from soc_assets.storage import files, vouching
from soc_assets.tracking.run import RunRecord
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
    words, better = _judge(project, client, rows, own, champion, record.model_name)
    client.set_model_version_tag(record.model_name, record.model_version, DECISION_TAG, words[:4900])
    if better:
        record.artifacts.write(_OUT_OF_FOLD, own.to_csv(index=False))
        client.set_registered_model_alias(record.model_name, ALIAS, record.model_version)
        tracking.remember()
    return words


def _judge(
    project: Project, client: "MlflowClient", rows: pd.DataFrame, own: pd.DataFrame, champion: str | None, name: str
) -> tuple[str, bool]:
    """What is said, and whether the version is better than the best baseline and than the champion."""
    settings = project.settings.evaluation
    rivals = {f"the baseline {key}": part for key, part in rows[rows["baseline"]].groupby("key")}
    if champion is not None:
        former = _remembered(client, name, champion)
        if former is None:
            return f"Not compared: the predictions of the champion (version {champion}) are gone.", False
        rivals[f"the champion (version {champion})"] = former
    worst: tuple[float, str] | None = None
    for rival, part in rivals.items():
        both = own.merge(part[["sample_id", "predicted"]], on="sample_id", suffixes=("", "_rival"))
        draws = Draws.of(both["unit"].to_numpy(), settings.seed, settings.draws)
        observed, first, second = (both[c].to_numpy(float) for c in ("observed", "predicted", "predicted_rival"))
        found = paired_difference(observed, first, second, draws)
        line = f"{found.value:+.3f} R2 against {rival} ({found.low:+.3f} to {found.high:+.3f}), {len(both)} samples"
        if worst is None or found.low < worst[0]:
            worst = found.low, line
    low, line = worst or (1.0, "nothing to compare with")
    verdict = "Became champion" if low > 0 else "Did not become champion"
    return f"{verdict}: by {settings.primary} folds the closest is {line}.", low > 0


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
    return own[["sample_id", "unit", "observed", "predicted"]] if len(own) else None


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


def write_card(record: RunRecord, card: str) -> None:
    """Put the model card beside the run's other artifacts."""
    record.artifacts.write(_CARD, card)
