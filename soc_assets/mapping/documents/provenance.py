"""The rasters that a map was made from: by band and step the files, and a digest of what they hold."""

from typing import Any

from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Period
from soc_assets.rasters.provenance import files_of_step


def rasters_of(inputs: MapInputs, period: Period) -> list[dict[str, Any]]:
    """Of every step that the cells of a period read (`LAI_2012`): key, files (number), paths (the first) and digest."""
    steps = inputs.rasters(period).items()
    return [files_of_step(inputs.project, key, mosaic) for key, mosaic in steps if mosaic is not None]
