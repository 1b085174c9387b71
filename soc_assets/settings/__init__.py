"""Settings: soc.toml, overridden by SOC_* environment variables, validated once and frozen.

Every field says what it means and in which unit. Loading (where the file is, the environment, messages for people) is
in `loading`; nothing here reads a file. docs/settings.md is made from here (`reference`).
"""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from soc_assets.settings.bands import Band, Channel, channels_of
from soc_assets.settings.base import Section, Share
from soc_assets.settings.rasters import RASTER_CHECKS, SAMPLE_CHECKS, Rasters, ReferenceGrid
from soc_assets.settings.seasons import SEASONS, season_number, season_of_number
from soc_assets.settings.soil import Soil, SoilColumns, SoilLimits, SoilTable

__all__ = [
    "RASTER_CHECKS",
    "SAMPLE_CHECKS",
    "SEASONS",
    "Band",
    "Channel",
    "Rasters",
    "ReferenceGrid",
    "Section",
    "Soil",
    "SoilColumns",
    "SoilLimits",
    "SoilTable",
    "channels_of",
]


FoldScheme = Literal["random", "location", "block", "knndm", "leave_source_out", "leave_year_out"]
FOLD_SCHEMES: tuple[FoldScheme, ...] = get_args(FoldScheme)
VISIT_METRES = 100.0
"""How far apart visits of one point may lie. A handheld GPS is off by 5 to 20 m, and a nominal grid point is visited
where the field allows it; surveys put their points much farther apart than this (LUCAS: 2 km)."""


class Paths(Section):
    """Folders. Relative paths start at the folder of soc.toml."""

    data: str = "data"
    """Everything the platform writes, but for MLflow: a folder, or a URL that fsspec knows, such as
    `s3://bucket/prefix`, for several hosts; each then has a copy of it (docs/scaling.md)."""
    data_copy: str | None = None
    """The copy on this host where `data` is a URL, on a disk of its own; None names it after the URL, in `.soc`."""
    rasters: str = "data/rasters"
    """The rasters, laid out as the patterns in [rasters] say: a folder, a zip file, `/vsizip/...`, or a URL such as
    `s3://bucket/prefix` (credentials and AWS_ENDPOINT_URL come from the environment)."""
    soil: str = "data/soil"
    """The soil tables: every CSV, workbook, Parquet file and point layer in it; a URL is copied to `.soc` first."""
    mlruns: str = "mlruns"
    """MLflow's database and artifacts."""


class Study(Section):
    """Which samples are studied, and how far back in time the rasters are read."""

    year_from: int = 2012
    """First sampling year kept (inclusive)."""
    year_to: int = 2023
    """Last sampling year kept (inclusive)."""
    time_before: int = Field(default=5, ge=0)
    """Time steps read per yearly or seasonal band, the most recent first (lags 0 to time_before - 1)."""
    first_lag: int = Field(default=0, ge=0)
    """How many steps before sampling the first step lies: 0 starts with the sampling year (or season) itself."""
    max_oc: float = Field(default=150.0, gt=0)
    """Largest organic carbon kept, g/kg."""
    region: str | None = None
    """A file of polygons in any CRS (GeoJSON, `file.gpkg` or `file.gpkg|layer=name`); samples outside them are
    excluded, those on the border are not. None keeps all."""
    vector_drivers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """GDAL drivers by suffix for files of regions beside those of docs/security.md: `{ ".tab" = ["MapInfo File"] }`."""
    location: Literal["coordinates", "pixel"] = "coordinates"
    """What makes samples one location: coordinates equal to 1e-5 degrees, or the same pixel of the reference grid."""
    id_metres: float = Field(default=VISIT_METRES, ge=0, le=1000)
    """Samples with the same id of their own at most so many metres apart are one location, too: GPS puts each visit of
    a point beside the others. 0 links none."""
    location_metres: float = Field(default=0.0, ge=0, le=1000)
    """Samples at most so many metres apart are one location whatever their ids: for revisits in tables without ids. 0,
    because profiles some metres apart may be soils of their own; `soc check` says where a test sample is that near."""

    def raster_steps(self, kind: str) -> list[tuple[int, str | None]]:
        """Year and season (None for a `yearly` band) of the steps that samples of the study read, in order of time.

        Seasons run from the winter of year_from to the autumn of year_to; a December sample of year_to reads one more.
        """
        first, last = self.first_lag + max(self.time_before, 1) - 1, self.first_lag
        if kind == "yearly":
            return [(year, None) for year in range(self.year_from - first, self.year_to - last + 1)]
        winter, next_winter = season_number(self.year_from, 0), season_number(self.year_to + 1, 0)
        return [season_of_number(number) for number in range(winter - first, next_winter - last)]

    @model_validator(mode="after")
    def _years_in_order(self) -> Self:
        if self.year_to < self.year_from:
            raise ValueError(f"year_to ({self.year_to}) lies before year_from ({self.year_from})")
        return self


class Sampling(Section):
    """Splits, balancing of the training split, folds and batches."""

    seed: int = 42
    """Seed of the split, of the balancing and of the folds."""
    validation_fraction: Share = 0.16
    """Share of locations for validation."""
    test_fraction: Share = 0.20
    """Share of locations for the test."""
    balance: Literal["resample", "weights", "none"] = "resample"
    """Balance the training split by repeating samples, by weights in the loss, or not."""
    bins: Literal["quantile", "width"] = "quantile"
    """Bins of organic carbon: equally full (as the original) or equally wide."""
    n_bins: int = Field(default=128, ge=1)
    """Bins of organic carbon, at most a fifth of the training samples."""
    min_ratio: Share = 0.75
    """Every bin is resampled up to this share of the fullest one."""
    min_per_bin: int = Field(default=5, ge=1)
    """... and to at least this many samples."""
    max_multiplicity: int = Field(default=10, ge=1)
    """Most often that one sample is repeated when bins are equally wide."""
    n_folds: int = Field(default=5, ge=2)
    """Folds of each cross-validation scheme."""
    block_size: int = Field(default=20, ge=1)
    """Edge of the spatial blocks of the scheme `block`, reference pixels (where block_metres is not set)."""
    block_metres: float | None = Field(default=None, gt=0)
    """Edge of the blocks in metres, squares in a projected CRS: for reference grids in degrees."""
    fold_schemes: tuple[FoldScheme, ...] | None = Field(default=None, min_length=1)
    """Cross-validation schemes that are cut. None: all, but `knndm`, the costly one, where [evaluation] asks for it."""
    batch_size: int = Field(default=256, ge=1)
    """Unique samples per batch: the partition of embeddings."""

    @model_validator(mode="after")
    def _something_left_to_train_on(self) -> Self:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction + test_fraction must leave something to train on")
        return self


class Embedding(Section):
    """The transformer and what is kept of it; what comes after `storage` does not decide the numbers."""

    model: Literal["vit_base_patch8", "vit_base_patch8_128", "vit_large_patch8_128", "vit_huge_patch8_128"] = (
        "vit_base_patch8"
    )
    """SpectralGPT architecture."""
    checkpoint: str | None = None
    """A SpectralGPT checkpoint, for example data/checkpoints/SpectralGPT+.pth; a URL is copied to `.soc` first. None
    takes random weights."""
    weights_seed: int = 42
    """Seed of the random weights."""
    drop_path: Share = 0.1
    """Stochastic depth of the architecture; acts in training only, never on embeddings."""
    stage: Literal["patch_embed", "encoder"] = "patch_embed"
    """Tokens after the patch embedding, or after the transformer blocks and the final norm."""
    layer: int | None = Field(default=None, ge=1)
    """Stop the encoder after this block and leave out the final norm; None runs all blocks and the norm."""
    pooling: Literal["mean", "center", "mean_center", "max", "none"] = "mean"
    """Tokens to one vector: mean of all, of those at the sample, both concatenated, maximum, or keep every token."""
    arrangement: Literal["expand", "stack"] = "expand"
    """One band as equal frames, or the bands of one lag as frames, so that the encoder sees them jointly."""
    anchor: Literal["center", "token"] = "center"
    """The sample's place in the window: index 48 where four tokens meet, or index 52 inside one token (for 96)."""
    image_size: int = Field(default=96, ge=8)
    """Edge of the window, reference pixels; a multiple of 16."""
    normalise: Literal["band", "none"] = "band"
    """Standardise each band by the statistics frozen in the spec, or feed raw values as the original did."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the encoder. auto measures when the spec is frozen: bfloat16 on a GPU where it is faster and
    agrees (cosine at least 0.999), float32 elsewhere; then it holds for every batch of the spec, on any machine."""
    storage: Literal["float32", "float16"] = "float32"
    """Numbers in the Parquet files; float16 halves them, at a relative error of up to 0.05 % (of values above 1e-4)."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    images_at_once: int = Field(default=0, ge=0)
    """Images per device call of the encoder; 0 chooses from the free memory, and halves it when memory runs out."""
    compile: Literal["auto", "always", "never"] = "auto"
    """torch.compile for the encoder; auto tries it before 20 minutes of work or more and keeps it if it is faster."""
    cache_mb: int = Field(default=1024, ge=16)
    """Memory for rasters brought to the reference grid, MB."""

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

    @model_validator(mode="after")
    def _nearest_needs_lags(self) -> Self:
        if self.missing == "nearest_lag" and self.alignment == "absolute":
            raise ValueError(
                "missing = 'nearest_lag' needs alignment = 'lag': by calendar most steps are not a sample's"
            )
        return self


class Training(Section):
    """The model that is registered: the documented MLP, whose settings these are, or a recipe."""

    recipe: str = "documented"
    """`documented`, or `chosen` by the folds of the primary scheme among the candidates of [evaluation], or the name of
    an MLP recipe of [evaluation], or `tuned`, the one of `hyperparameters`. Refitted on all but the test split."""
    seed: int = 42
    """Seed of the initial weights, of dropout and of the order of samples."""
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (512, 256)
    """Widths of the hidden layers."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Dropout after each hidden layer."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Adam's learning rate."""
    batch_size: int = Field(default=32, ge=1)
    """Samples per step."""
    epochs: int = Field(default=50, ge=1)
    """Most epochs."""
    patience: int = Field(default=10, ge=1)
    """Epochs without a better validation loss after which training stops; the best weights are kept."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""


class Tracking(Section):
    """MLflow."""

    server: str | None = None
    """An MLflow tracking server that also serves artifacts, such as `http://mlflow:5000`, for several hosts; None keeps
    runs and models in [paths] mlruns."""
    experiment: str = "soc"
    """Experiment that holds the runs."""
    registered_model: str = "soc_mlp"
    """Name in the model registry."""


class Automation(Section):
    """What the Dagster daemon does by itself; read when the code location is loaded."""

    active: bool = True
    """Whether the sensors and schedules start switched on. Each can be switched in the UI at any time."""
    cron: str = "0 2 * * *"
    """When rasters and soil files are looked at, and missing and stale batches are backfilled."""
    timezone: str = "UTC"
    """Time zone of cron, for example Europe/Berlin."""
    sensor_seconds: int = Field(default=60, ge=1)
    """How often new and changed files are looked for."""
    batches_per_run: int = Field(default=32, ge=1)
    """Most batches in one run of `embeddings`: the weights are loaded once for them."""
    max_runtime_hours: float = Field(default=24.0, gt=0)
    """A run that takes longer is ended by the daemon, and its device is freed."""
    max_retries: int = Field(default=2, ge=0)
    """How often the daemon starts a run again whose process died; a step that failed with a reason is not repeated."""


class Execution(Section):
    """Where steps run. SOC_EXECUTOR overrides `executor`."""

    executor: Literal["local", "ray", "k8s"] = "local"
    """local: a process per step on this machine. ray: jobs of a Ray cluster. k8s: Kubernetes jobs (docs/scaling.md)."""
    devices: int | None = Field(default=None, ge=1)
    """Steps that hold a GPU at once. None: as many as this machine has (1 without a GPU); set it for ray and k8s."""
    concurrency: int | None = Field(default=None, ge=1)
    """Steps of a run at once, with or without a device. None: as many as there are cores, or as the cluster takes."""
    ray_address: str = ""
    """Address of Ray's job server; left out, RAY_ADDRESS or http://127.0.0.1:8265."""
    image: str = ""
    """Container image of the steps on Kubernetes; left out, that of the run's pod."""
    namespace: str = ""
    """Kubernetes namespace of the steps; left out, that of the run's pod."""
    env_vars: tuple[str, ...] = ()
    """Variables of the steps' pods, NAME or NAME=value."""
    gpu_resource: str = "nvidia.com/gpu"
    """Kubernetes' name of a GPU."""
