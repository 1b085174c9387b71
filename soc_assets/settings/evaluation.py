"""Settings of the evaluation: recipes (what is fitted, on which features), and which of them are compared how.

A recipe is everything that determines a model except its data. The named ones are in
`soc_assets.regression.models.recipes`.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from soc_assets.settings.base import Section, Share
from soc_assets.settings.study import FoldScheme

_GROUP = r"(embedding|coordinates|point(:\d+)*)"
FeatureSet = Annotated[str, StringConstraints(pattern=rf"^{_GROUP}(\+{_GROUP})*$")]
WithWindows = Annotated[str, StringConstraints(pattern=rf"^({_GROUP}|window:\d+)(\+({_GROUP}|window:\d+))*$")]
Trend = Literal["ridge", "random_forest", "extra_trees", "gradient_boosting", "mlp"]
ModelKind = Literal[
    "mean",
    "kriging",
    "ridge",
    "random_forest",
    "extra_trees",
    "gradient_boosting",
    "gaussian_process",
    "regression_kriging",
    "mlp",
    "documented",
    "finetune",
    "convolution",
]
ON_WINDOWS = ("finetune", "convolution")
SPATIAL = ("kriging", "gaussian_process", "regression_kriging")


class Recipe(Section):
    """What is fitted, on which features, to which target."""

    name: str
    """Name in tables."""
    model: ModelKind = "mlp"
    """The learner; `documented` is the MLP of [training] with its early stopping, `finetune` trains the encoder of
    [embedding] on windows, `convolution` a convolutional one from scratch."""
    features: WithWindows = "point"
    """Feature groups joined by +: embedding, coordinates, point (all windows) or point:1:9 (of 1 and 9 pixels); for
    `finetune` and `convolution` first window:16, the 16 x 16 pixels around a sample in every image."""
    target: Literal["none", "log1p", "box-cox"] = "log1p"
    """Transform of organic carbon, fitted on training samples."""
    back: Literal["smearing", "plain"] = "smearing"
    """Back to g/kg by smearing over residuals (a mean), or by the plain inverse (a median)."""
    pca: float = Field(default=60.0, ge=0)
    """Principal components of the embedding: how many, or (below 1) the variance kept; 0 keeps every column."""
    balance: bool = False
    """Balance each training part as [sampling] says."""
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (128, 64)
    """MLP: widths of the hidden layers."""
    activation: Literal["gelu", "relu"] = "gelu"
    """MLP: after each hidden layer."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """MLP: after each hidden layer."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """MLP: largest learning rate of the one-cycle schedule."""
    weight_decay: float = Field(default=1.0, ge=0)
    """MLP: AdamW's; ridge: the penalty per sample."""
    epochs: int = Field(default=60, ge=1)
    """MLP: all of them are trained; the schedule ends at a learning rate of nearly 0. On windows: at most."""
    batch_size: int = Field(default=256, ge=1)
    """MLP: samples per step, fewer where an epoch would have less than 16 steps (on windows: 8)."""
    members: int = Field(default=5, ge=1)
    """MLP: networks of different seeds whose predictions are averaged."""
    trees: int = Field(default=200, ge=1)
    """Forests: trees; gradient boosting: most iterations."""
    min_leaf: int = Field(default=3, ge=1)
    """Forests: fewest samples of a leaf."""
    max_features: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Forests: share of the features considered at each split."""
    trend: Trend = "ridge"
    """Regression kriging: what is fitted to the features; the residuals are kriged. Its own settings are those here."""
    intervals: bool = True
    """Also fit on the inner folds, for calibrated prediction intervals and for smearing with held-out residuals."""
    decay: float = Field(default=0.0, ge=0)
    """Documented MLP: weight decay (AdamW's); 0 is Adam without, as documented."""
    validation_fold: int = Field(default=0, ge=0)
    """Documented MLP, `finetune`, `convolution`: which of the inner folds stops it early, counted from 0."""
    patience: int = Field(default=5, ge=1)
    """`finetune`, `convolution`: epochs without a smaller loss on that inner fold until it stops."""
    tuned: Literal["last", "all", "lora"] = "last"
    """`finetune`: the encoder's last blocks are trained, all of it, or low-rank updates of its attention (LoRA)."""
    last_blocks: int = Field(default=1, ge=1)
    """`finetune`: how many blocks `last` trains."""
    rank: int = Field(default=8, ge=1)
    """`finetune`: rank of the updates of `lora`."""
    encoder_learning_rate: float = Field(default=3e-4, gt=0)
    """`finetune`: largest learning rate of the encoder; that of the head is `learning_rate`."""

    @model_validator(mode="after")
    def _fits_its_model(self) -> "Recipe":
        """A model of space needs the place, behind all other features, and one of windows these, before all others."""
        first, *others = self.features.split("+")
        of_windows = first.startswith("window:") and not any(word.startswith("window:") for word in others)
        if of_windows != (self.model in ON_WINDOWS) or ("window:" in self.features) != of_windows:
            raise ValueError(
                f"the recipe {self.name!r} ({self.model}) on {self.features!r}: {' and '.join(ON_WINDOWS)} read one "
                "group of windows, which stands first, such as features = 'window:16' or 'window:16+point', and no "
                "other model does"
            )
        if of_windows and (int(first.split(":")[1]) % 8 or int(first.split(":")[1]) == 0):
            raise ValueError(f"the recipe {self.name!r} on {self.features!r}: windows are 8, 16, 24, ... pixels wide")
        wanted = "coordinates" if self.model == "kriging" else f"{self.features}+coordinates"
        right = self.features == wanted if self.model == "kriging" else self.features.endswith("+coordinates")
        if self.model in SPATIAL and not right:
            raise ValueError(
                f"the recipe {self.name!r} is a model of space ({self.model}): set features = {wanted!r}, with the "
                "coordinates last"
            )
        if self.model in SPATIAL and self.balance:
            raise ValueError(f"the recipe {self.name!r} is a model of space ({self.model}): it cannot be balanced")
        return self

    def trend_recipe(self) -> "Recipe":
        """The recipe of the trend beneath regression kriging."""
        features = self.features.removesuffix("+coordinates")
        return self.model_copy(update={"model": self.trend, "features": features})


class Evaluation(Section):
    """The comparison of models on identical folds, and its report."""

    schemes: tuple[FoldScheme, ...] = Field(default=("location", "block"), min_length=1)
    """Cross-validation schemes; those that [sampling] could not cut are left out."""
    primary: FoldScheme = "block"
    """The scheme that decides what is best and what becomes champion."""
    models: tuple[str, ...] = (
        "kriging",
        "regression_kriging",
        "gaussian_process",
        "ridge",
        "random_forest",
        "gradient_boosting",
        "mlp",
    )
    """Named recipes, each on every feature set; `regression_kriging` and `gaussian_process` on the first one and the
    coordinates, `kriging` on the coordinates alone, `finetune` and `convolution` on windows, alone and with the point
    values. `mean`, `coordinates` and the recipes below are always included."""
    feature_sets: tuple[FeatureSet, ...] = Field(default=("point", "embedding", "point+embedding"), min_length=1)
    """Feature sets that the models are compared on."""
    documented: bool = True
    """Whether the documented MLP is compared too, on the features of [features], under the primary scheme."""
    chosen: bool = True
    """Whether the recipe chosen inside each training part among the candidates is compared too, under the primary
    scheme."""
    recipes: tuple[Recipe, ...] = ()
    """Custom recipes, compared on their own features."""
    candidates: tuple[Recipe, ...] = ()
    """Recipes to choose from; empty takes those of `soc_assets.regression.models.recipes`."""
    inner_folds: int = Field(default=3, ge=2)
    """Inner folds, merged from the other folds inside the training part: for selection, smearing and calibration."""
    buffer: float = Field(default=0.0, ge=0)
    """Training samples closer than this to a test sample are dropped, metres; `block` only."""
    level: Share = 0.9
    """Share of samples that prediction intervals should cover; another one trains the model again."""
    draws: int = Field(default=1000, ge=100)
    """Bootstrap draws for the 95 % intervals of scores."""
    regions: str | None = None
    """A file of polygons in any CRS (GeoJSON, `file.gpkg` or `file.gpkg|layer=name`) for each of which there are
    scores. None takes four quadrants, split at the medians of the samples' coordinates."""
    region_column: str = "name"
    """The column of that file that names each polygon; polygons of one name are one region."""
    strata: tuple[str, ...] = ("land_cover", "land_use", "soil_type", "laboratory", "method")
    """Columns of the samples by whose categories there are scores: further columns of the soil tables (`extra` in
    [soil]); numbers are binned into quartiles. Those named here by default are left out where no soil table has
    them."""
    learning_curve: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.25, 0.5, 0.75)
    """Shares of the locations of each training part that the best recipe is also fitted on, under the primary scheme;
    empty leaves the learning curve out."""
    network_choices: int = Field(default=1, ge=0)
    """Folds of the primary scheme, from the first on, in which the documented MLP is compared with variants that change
    one choice each; 0 leaves that out. Each fold takes about four fits of the documented MLP."""
    source_offsets: bool = True
    """Whether laboratories and programmes are compared, where there are two or more: their offsets from the best
    recipe, which is also fitted without each of them."""
    trials: int = Field(default=30, ge=1)
    """Trials of the hyperparameter search."""
    workers: int = Field(default=0, ge=0)
    """Worker processes for fitting; 0 takes as many as there are processors."""
    seed: int = 42
    """Random seed of everything fitted here."""
