"""Whether a registered model can be asked about the features that the project makes: before anything is computed."""

import numpy as np

from soc_assets.errors import TrainingError
from soc_assets.mapping.engine.columns import Columns
from soc_assets.mapping.inputs import MapInputs

_CURE = "Name another version (`soc map --version`, or model in [map] of soc.toml), or train again with `soc run`."


def require_fitting_model(inputs: MapInputs) -> None:
    """Refuse a model that was fitted on other features than the project makes.

    Args:
        inputs: with the loaded model.

    Raises:
        TrainingError: its feature set has a group that there is not, or it takes another number of features.
    """
    registered = inputs.registered
    try:
        columns = Columns(inputs)
    except KeyError as error:
        known = ", ".join(sorted({*inputs.predictor.columns, "coordinates"}))
        raise TrainingError(
            f"The model {registered.uri} reads the feature set {registered.features!r}, and there are no features "
            f"{error}; this project makes {known}. {_CURE}"
        ) from error
    try:
        registered.model.predict(np.zeros((1, columns.width), np.float32))
    except Exception as error:  # of whatever library holds the graph
        if "Refused: " in str(error):  # it has taken the features, and does not like their values
            return
        found = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise TrainingError(
            f"The model {registered.uri} cannot take the {columns.width:,} features of its feature set "
            f"{registered.features!r} in this project ({found}): it was fitted on others. {_CURE}"
        ) from error
