"""A fitted encoder as a part of a served graph."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from soc_assets.regression.finetuning.encoded import EncodedWindows


class Encoded(nn.Module):
    """Raw windows [n, d] as standardised summaries [n, k]; gaps count as what stands for them."""

    centre: Tensor
    spread: Tensor

    def __init__(self, part: EncodedWindows) -> None:
        super().__init__()
        self.encoder, self.shape = deepcopy(part.encoder).cpu(), part.shape
        self.register_buffer("centre", torch.as_tensor(part.centre, dtype=torch.float32))
        self.register_buffer("spread", torch.as_tensor(part.spread, dtype=torch.float32))

    def forward(self, values: Tensor) -> Tensor:
        """As `EncodedWindows.transform`."""
        images = torch.where(torch.isnan(values), torch.zeros_like(values), values).unflatten(1, self.shape)
        return (self.encoder(images) - self.centre) / self.spread
