"""The table [pretraining]: how an encoder learns from the project's own rasters, without labels."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from soc_assets.settings.base import Section, Share


class Pretraining(Section):
    """Masked autoencoding of windows of the rasters (`soc pretrain`).

    Model, image_size, arrangement and normalise are those of [embedding], so that the checkpoint that is written,
    data/results/pretrained_encoder.pth, fits as `checkpoint` there.
    """

    images: int = Field(default=250_000, ge=1)
    """Length: images (windows of a band, or of the bands of a lag) that the encoder sees."""
    batch_size: int = Field(default=64, ge=1)
    """Images per optimiser step, over all processes."""
    accumulate: int = Field(default=1, ge=1)
    """Parts into which a batch is cut to fit the device's memory; gradients are accumulated over them."""
    mask_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Share of tokens that is hidden from the encoder; 0.9 as SpectralGPT was published."""
    base_learning_rate: float | None = Field(default=None, gt=0)
    """AdamW's peak rate for a batch of 256 images, scaled linearly. None: 1.5e-4 as published, 2e-3 for the tiny and
    small models."""
    weight_decay: float = Field(default=0.05, ge=0)
    """AdamW's weight decay of matrices; vectors (biases, norms) have none."""
    warm_up: Share = 0.1
    """Share of the steps in which the rate rises; then it falls by half a cosine."""
    clip: float = Field(default=1.0, gt=0)
    """Norm at which gradients are clipped."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of an exponential moving average of the weights, which is then what is written; 0: none."""
    smallest_crop: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Smallest share of a window's area that a random resized crop takes; 1: no crops. Windows are also flipped."""
    normalise_target: bool = False
    """Standardise the target of each token; the loss of the sums over groups is left out then, as it contradicts."""
    decoder_width: int | None = Field(default=None, ge=8)
    """Width of the decoder. None: 512 as published, 128 for the tiny and small models, whose time it would dominate."""
    decoder_blocks: int | None = Field(default=None, ge=1)
    """Blocks of the decoder. None: 4 as published, 2 for the tiny and small models."""
    held_out: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """Share of the region, one rectangle, whose pixels are hidden from training and that the held-out loss is of."""
    evaluations: int = Field(default=20, ge=1)
    """How many times the held-out loss is computed."""
    patience: int = Field(default=5, ge=0)
    """Evaluations without a better held-out loss (by 0.1 %) after which it stops, with the last weights; 0: never."""
    checkpoint_steps: int = Field(default=200, ge=1)
    """Steps after which the state is saved: a run that was killed goes on from there."""
    seed: int = Field(default=42, ge=0, lt=2**31)
    """Seed of initial weights, windows, crops and masks."""
    start: str | None = None
    """A checkpoint to go on from, in either published layout; None starts from random weights."""
    processes: int = Field(default=1, ge=1)
    """Processes of this machine that share each batch, by torch's DistributedDataParallel; on GPUs one per device."""
    on_cpu: bool = False
    """Pre-train a published architecture without a GPU all the same, which takes days (`soc pretrain --yes`)."""

    @model_validator(mode="after")
    def _parts_are_whole(self) -> Self:
        if self.batch_size % (self.accumulate * self.processes):
            raise ValueError(
                f"batch_size = {self.batch_size} is not a multiple of accumulate x processes = "
                f"{self.accumulate * self.processes}"
            )
        return self
