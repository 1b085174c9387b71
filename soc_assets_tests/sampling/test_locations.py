import numpy as np
import pandas as pd

from soc_assets.sampling.locations import location_ids


def places(*pairs):
    return pd.DataFrame(pairs, columns=["longitude", "latitude"])


def test_coordinates_equal_to_a_hundred_thousandth_of_a_degree_are_one_location(grid):
    ids = location_ids(
        places((11.1, 48.1), (11.100004, 48.099996), (11.10002, 48.1), (48.1, 11.1)), "coordinates", grid
    )
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_samples_in_one_pixel_are_one_location_by_pixel(grid):
    ids = location_ids(places((11.001, 48.999), (11.009, 48.991), (11.011, 48.999)), "pixel", grid)
    assert ids[0] == ids[1] != ids[2]


def test_places_outside_the_grid_and_on_all_hemispheres_have_names_of_their_own(grid):
    points = places((-180, -90), (180, 90), (-70.5, -33.4), (10.999, 49.001), (10.989, 49.001))
    for by in ("coordinates", "pixel"):
        ids = location_ids(points, by, grid)
        assert len(set(ids)) == 5
        assert len({len(name) for name in ids}) == 1


def test_names_do_not_depend_on_other_rows(grid):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"longitude": rng.uniform(-180, 180, 5000), "latitude": rng.uniform(-90, 90, 5000)})
    ids = location_ids(table, "coordinates", grid)
    assert len(set(ids)) == 5000
    assert (location_ids(table[::-1], "coordinates", grid)[::-1] == ids).all()
