"""Names of the tables in words: models, feature sets, schemes, and the parts of the samples that are scored."""

import re
from collections.abc import Mapping

MODELS = {
    "mean": "Mean of the training samples",
    "coordinates": "Coordinates alone",
    "mlp": "MLP ensemble",
    "mlp_documented": "Documented MLP",
    "mlp_chosen": "Chosen recipe",
    "extra_trees": "Extremely randomised trees",
    "ridge": "Ridge regression",
    "finetune": "Fine-tuned encoder",
    "convolution": "Convolutional encoder",
}
SCHEMES = {
    "random": "random samples",
    "location": "held-out locations",
    "block": "spatial blocks",
    "knndm": "kNNDM folds",
    "leave_source_out": "held-out sources",
    "leave_year_out": "held-out years",
}
_SCOPES = {
    "oc_stratum": "organic carbon, g/kg",
    "predicted": "predicted organic carbon",
    "applicability": "area of applicability",
    "pooled": "all samples",
}
_KINDS = {
    "what": "kind of feature",
    "band": "band",
    "lag": "lag",
    "dynamics": "static and dynamic bands",
    "window": "window",
}


def model_words(model: str) -> str:
    """A model's name in words; a name of the user's own keeps its letters.

    >>> model_words("random_forest"), model_words("mlp_chosen"), model_words("My-net 2")
    ('Random forest', 'Chosen recipe', 'My-net 2')
    """
    if model in MODELS:
        return MODELS[model]
    return model.replace("_", " ").capitalize() if re.fullmatch(r"[a-z][a-z_]*", model) else model


def feature_words(features: str) -> str:
    """A feature set in words.

    >>> feature_words("point:1:9+embedding"), feature_words("window:32"), feature_words("chosen")
    ('point values (1, 9 px) + embedding', 'windows (32 px)', 'chosen in inner folds')
    """
    if features == "chosen":
        return "chosen in inner folds"
    return " + ".join(_group_words(part) for part in features.split("+"))


def _group_words(part: str) -> str:
    group, *windows = part.split(":")
    name = {"point": "point values", "window": "windows"}.get(group, group)
    return f"{name} ({', '.join(windows)} px)" if windows else name


def fit_words(model: str, features: str) -> str:
    """A model and what it is fitted on, as one name."""
    alone = features == "chosen" or model in ("mean", "coordinates")
    return model_words(model) if alone else f"{model_words(model)} on {feature_words(features)}"


def scheme_words(scheme: str) -> str:
    """A scheme of folds in words."""
    return SCHEMES.get(scheme, scheme)


def scope_words(scope: str) -> str:
    """A kind of part in words; a column of the soil tables that is no word keeps its letters.

    >>> scope_words("land_cover"), scope_words("Clay (%)")
    ('land cover', 'Clay (%)')
    """
    return _SCOPES.get(scope) or (scope.replace("_", " ") if re.fullmatch(r"[a-z][a-z_]*", scope) else scope)


def group_words(kind: str, group: str, labels: Mapping[str, str] | None = None) -> str:
    """A group of features in words: `lag 1`, `9 px`; a band by its label, where `labels` has one.

    >>> group_words("lag", "1"), group_words("lag", "static"), group_words("window", "9"), group_words("band", "LAI")
    ('lag 1', 'static', '9 px', 'LAI')
    """
    if kind == "band":
        return (labels or {}).get(group, group)
    if kind == "lag" and group.isdigit():
        return f"lag {group}"
    return f"{group} px" if kind == "window" and group != "0" else "embedding" if kind == "window" else group


def kind_words(kind: str) -> str:
    """A kind of group of features in words."""
    return _KINDS.get(kind, kind)
