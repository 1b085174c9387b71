"""The transformer, the feature vector and the model that is registered."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from soc_assets.settings.base import Section, Share


class Embedding(Section):
    """The transformer and what is stored of it; settings after `storage` do not affect the numbers."""

    model: Literal[
        "vit_tiny_patch8",
        "vit_small_patch8",
        "vit_base_patch8",
        "vit_base_patch8_128",
        "vit_large_patch8_128",
        "vit_huge_patch8_128",
    ] = "vit_base_patch8"
    """SpectralGPT architecture; tiny (192 wide, 6 blocks) and small (384, 8) are not published: they are for
    pre-training on one's own rasters without a GPU."""
    checkpoint: str | None = None
    """A SpectralGPT checkpoint, for example data/checkpoints/SpectralGPT+.pth; a URL is copied to `.soc` first. None
    takes random weights."""
    weights_seed: int = 42
    """Seed of the random weights."""
    drop_path: Share = 0.1
    """Stochastic depth of the architecture; active in training only, never for embeddings."""
    stage: Literal["patch_embed", "encoder"] = "patch_embed"
    """Tokens after the patch embedding, or after the transformer blocks and the final norm."""
    layer: int | None = Field(default=None, ge=1)
    """Stop the encoder after this block and leave out the final norm; None runs all blocks and the norm."""
    pooling: Literal["mean", "center", "mean_center", "max", "none"] = "mean"
    """How tokens become one vector: mean of all, of those at the sample, both concatenated, maximum, or keep every
    token."""
    arrangement: Literal["expand", "stack"] = "expand"
    """One band as identical frames, or the bands of one lag as frames, so that the encoder sees them jointly."""
    anchor: Literal["center", "token"] = "center"
    """The sample's position in the window: index 48 where four tokens meet, or index 52 inside one token (for 96)."""
    image_size: int = Field(default=96, ge=8)
    """Edge of the window, reference pixels; a multiple of 16."""
    normalise: Literal["band", "image", "none"] = "band"
    """Standardise each band by the statistics frozen in the spec, scale each image to 0..1 by its own range as
    SpectralGPT was trained, or feed raw values as the original did."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the encoder. auto benchmarks when the spec is frozen: bfloat16 on a GPU where it is faster and
    agrees (cosine at least 0.999), float32 elsewhere; then it holds for every batch of the spec, on any machine."""
    storage: Literal["float32", "float16"] = "float32"
    """Numbers in the Parquet files; float16 halves their size, at a relative error of up to 0.05 % (of values above
    1e-4)."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    images_at_once: int = Field(default=0, ge=0)
    """Images per device call of the encoder; 0 chooses by the free memory, and halves the number when memory runs
    out."""
    compile: Literal["auto", "always", "never"] = "auto"
    """torch.compile for the encoder; auto tries it when 20 minutes of work or more lie ahead, and keeps it if it is
    faster."""
    cache_mb: int = Field(default=1024, ge=16)
    """Memory for rasters resampled to the reference grid, MB."""

    @model_validator(mode="after")
    def _four_tokens_meet_at_the_middle(self) -> Self:
        if self.image_size % 16:
            raise ValueError(
                f"image_size = {self.image_size} is not a multiple of 16 (an even number of 8-pixel tokens)"
            )
        return self


class Features(Section):
    """The flattened vector of the `features` view."""

    include: tuple[Literal["embedding", "point"], ...] = Field(default=("embedding",), min_length=1)
    """What the vector holds: the embeddings, and then the point values (4 numbers per band and step)."""
    missing: Literal["zero", "nearest_lag", "null"] = "zero"
    """A missing image becomes zeros (as the original), the same band's nearest step, or nulls."""
    alignment: Literal["lag", "absolute"] = "lag"
    """Steps ordered by lag, or by calendar year over all years of the study (for comparison only)."""
    by_band_gb: float = Field(default=20, ge=0, exclude=True)  # of no influence on features: in no digest
    """Disk space, GB, for copies of the batches with a column per band and lag, by which SQL reads one band alone. They
    take as much as the batches; where that is more than this there are none, and SQL reads the batches."""

    @model_validator(mode="after")
    def _nearest_needs_lags(self) -> Self:
        if self.missing == "nearest_lag" and self.alignment == "absolute":
            raise ValueError(
                "missing = 'nearest_lag' needs alignment = 'lag': by calendar most steps are not a sample's"
            )
        return self


def _documented(recipe: str) -> str:
    """The leaderboard calls it `mlp_documented on embedding`."""
    return "documented" if recipe.split(" on ")[0] == "mlp_documented" else recipe


class Training(Section):
    """The model that is registered: the documented MLP, whose settings these are, or a recipe."""

    recipe: Annotated[str, AfterValidator(_documented)] = "documented"
    """`documented`; or `chosen`, selected by the folds of the primary scheme among the candidates of [evaluation]; or
    a model as the leaderboard calls it (`random_forest on point+embedding`), or a recipe of [evaluation] by its name
    alone; or `tuned`, that of the hyperparameter search. Recipes are refitted on all samples except the test split."""
    seed: int = 42
    """Seed of the initial weights, of dropout and of the order of samples."""
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (512, 256)
    """Widths of the hidden layers."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Dropout after each hidden layer."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Adam's learning rate."""
    scale_input_rate: bool = False
    """Whether the first layer learns at learning_rate x (its outputs / its inputs), 1/39 of it by default. Adam's steps
    are of one size for every weight, so a sum over 20,000 inputs moves far in the first ones and the loss overshoots.
    The soc.toml of new projects has it; the MLP as it was documented has not."""
    batch_size: int = Field(default=32, ge=1)
    """Samples per step."""
    epochs: int = Field(default=50, ge=1)
    """Maximum number of epochs."""
    patience: int = Field(default=10, ge=1)
    """Epochs without a better validation loss after which training stops; the best weights are kept."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""

    def decisive(self) -> dict[str, Any]:
        """What decides the documented MLP: a later field at its default makes no fit stale."""
        later = {"scale_input_rate"}
        fields = self.model_dump(exclude={"device", "recipe", *later})
        return fields | self.model_dump(include=later, exclude_defaults=True)
