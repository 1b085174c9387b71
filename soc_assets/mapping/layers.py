"""The layers of a map: their files, units, and how they are stored."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from soc_assets.mapping.quality_classes import CLASSES, COLOURS, NODATA
from soc_assets.settings import Maps


@dataclass(frozen=True)
class Layer:
    """A layer of a map.

    Attributes:
        name: of the file, without `.tif`.
        description: for people.
        unit: `g/kg`, or "" where there is none.
        dtype: of the stored numbers.
        nodata: stored where there is no value.
        scale: what a stored number is multiplied by.
        colours: of classes; None where numbers are stored.
    """

    name: str
    description: str
    unit: str
    dtype: str
    nodata: float
    scale: float = 1.0
    colours: Mapping[int, tuple[int, int, int, int]] | None = None

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Values (NaN where there is none) as they are stored; beyond int16's range they are its ends."""
        if self.dtype != "int16":
            return np.where(np.isnan(values), self.nodata, values).astype(self.dtype)
        stored = np.clip(np.round(np.nan_to_num(values) / self.scale), -32767, 32767)
        return np.where(np.isnan(values), self.nodata, stored).astype(np.int16)


_WORDS = {
    "organic_carbon": ("soil organic carbon", "g/kg", 0.02),
    "lower": ("lower end of the prediction interval of soil organic carbon", "g/kg", 0.02),
    "upper": ("upper end of the prediction interval of soil organic carbon", "g/kg", 0.02),
    "dissimilarity": ("dissimilarity index: 0 at a training sample, 1 at their mean distance", "", 0.001),
}
POSITIONS = {name: number for number, name in enumerate(_WORDS)}
"""Where each layer is in the numbers of a tile."""
QUALITY = Layer(
    "quality",
    "where the map may be believed: " + "; ".join(f"{n} {w}" for n, w in CLASSES.items()),
    "",
    "uint8",
    NODATA,
    colours=COLOURS,
)


def layers_of(settings: Maps) -> list[Layer]:
    """The layers that the settings ask for, organic carbon first; quality is none of them."""
    made = []
    for name, (description, unit, scale) in _WORDS.items():
        if name == "organic_carbon" or name in settings.outputs:
            made.append(layer_of(settings, name, description, unit, scale))
    return made


def layer_of(settings: Maps, name: str, description: str, unit: str, scale: float) -> Layer:
    """A layer of numbers, stored as the settings say; `scale` is that of int16."""
    stored = ("int16", -32768.0, scale) if settings.dtype == "int16" else ("float32", -9999.0, 1.0)
    return Layer(name, description, unit, *stored)
