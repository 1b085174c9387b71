"""What the bootstrap resamples under a scheme: what the scheme holds out, as that is how a new sample would differ.

Samples near each other are alike, so drawing them one by one makes an interval too narrow. The unit is

- `random` and `location`: the location (visits of one are never independent);
- `block`: the block;
- `knndm`: the block, because its clusters are merged into as few as its folds;
- `leave_source_out` and `leave_year_out`: the source, or the year.

Fewer than `FEWEST` units cannot show their own spread: then it is blocks, or locations if there are few blocks, too.
"""

import numpy as np
import pandas as pd

FEWEST = 10
_COLUMNS = {"block": "block", "knndm": "block", "leave_source_out": "source", "leave_year_out": "year"}
_NAMES = {"location_id": "locations", "block": "blocks", "source": "sources", "year": "years"}


def units_of(scheme: str, samples: pd.DataFrame) -> tuple[np.ndarray, str]:
    """The unit [n] of each sample, as text, and what the units are, in the plural.

    Args:
        scheme: of the folds.
        samples: [n] rows with location_id; block, source and year where they are known.
    """
    wanted: list[str] = [_COLUMNS[scheme], "block"] if scheme in _COLUMNS else []
    for column in wanted:
        if column in samples and samples[column].notna().all() and samples[column].nunique() >= FEWEST:
            return samples[column].astype("str").to_numpy(object), _NAMES[column]
    return samples["location_id"].astype("str").to_numpy(object), _NAMES["location_id"]
