"""Settings: soc.toml, overridden by SOC_* environment variables, validated once and frozen.

Every field says what it means and in which unit. Loading (where the file is, the environment, messages for people) is
in `loading`; no other module here reads a file. docs/settings.md is made from the fields (`reference`).
"""

from soc_assets.settings.bands import Band, Channel, channels_of
from soc_assets.settings.base import Section
from soc_assets.settings.map import Maps, Mask
from soc_assets.settings.model import Embedding, Features, Training
from soc_assets.settings.platform import Automation, Execution, Paths, Tracking
from soc_assets.settings.pretraining import Pretraining
from soc_assets.settings.rasters import RASTER_CHECKS, SAMPLE_CHECKS, Rasters, ReferenceGrid
from soc_assets.settings.seasons import SEASONS
from soc_assets.settings.soil import Soil, SoilColumns, SoilLimits, SoilTable
from soc_assets.settings.study import FOLD_SCHEMES, VISIT_METRES, FoldScheme, Sampling, Study

__all__ = [
    "FOLD_SCHEMES",
    "RASTER_CHECKS",
    "SAMPLE_CHECKS",
    "SEASONS",
    "VISIT_METRES",
    "Automation",
    "Band",
    "Channel",
    "Embedding",
    "Execution",
    "Features",
    "FoldScheme",
    "Maps",
    "Mask",
    "Paths",
    "Pretraining",
    "Rasters",
    "ReferenceGrid",
    "Sampling",
    "Section",
    "Soil",
    "SoilColumns",
    "SoilLimits",
    "SoilTable",
    "Study",
    "Tracking",
    "Training",
    "channels_of",
]
