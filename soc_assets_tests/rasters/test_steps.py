"""Which steps the samples of a batch read: all slots at once, as slot by slot."""

import numpy as np
import pandas as pd
import pytest

from soc_assets.rasters.steps import groups, slots, step_numbers, steps_read
from soc_assets.settings import Band

BANDS = (
    Band(name="Elevation", kind="static"),
    Band(name="LAI"),
    Band(name="NDVI", kind="seasonal"),
    Band(name="Slope", kind="static"),
    Band(name="LST"),
)


@pytest.mark.parametrize("n", [1, 2, 37])
@pytest.mark.parametrize("first_lag", [0, 1])
def test_steps_of_all_slots_are_those_of_each(n, first_lag):
    rng = np.random.default_rng(n)
    years = rng.integers(2009, 2016, n)
    seasons = np.array(["winter", "spring", "summer", "autumn"])[rng.integers(0, 4, n)]
    samples = pd.DataFrame({"year": years, "season_year": years + (seasons == "winter"), "season": seasons})
    every = slots(BANDS, "Elevation", time_before=3, first_lag=first_lag)
    found = [(slot, step, positions.tolist()) for slot, step, positions in steps_read(every, samples)]
    expected = [
        (slot, step, positions.tolist())
        for slot in every
        for step, positions in groups(step_numbers(slot, samples), slot.kind)
    ]
    assert found == expected
    assert len(found) >= len(every)
