import numpy as np

from soc_assets.geo.places import places


def places_of(*points: tuple[float, float]) -> list[int]:
    longitude, latitude = np.array(points).T
    return places(longitude, latitude).tolist()


def test_points_are_one_place_however_many_digits_their_files_write():
    rng = np.random.default_rng(4)
    longitude, latitude = rng.uniform(9, 14, 5000), rng.uniform(47, 51, 5000)
    exact = places(longitude, latitude)
    for digits in (6, 7):
        together = places(
            np.concatenate([longitude, longitude.round(digits)]), np.concatenate([latitude, latitude.round(digits)])
        )
        assert (together[:5000] == together[5000:]).all()
        assert len(np.unique(together)) == len(np.unique(exact))


def test_points_a_metre_and_more_apart_are_places_of_their_own():
    assert len(set(places_of((11.0, 48.0), (11.00001, 48.0), (11.0, 48.00001), (11.0, 47.99999)))) == 4


def test_chain_of_points_across_a_border_is_one_place_in_any_order():
    points = [(11.196975, 48.635087), (11.196974856, 48.635086825), (11.19698, 48.63509), (11.19697, 48.63509)]
    assert len(set(places_of(*points))) == 1
    assert places_of(*points) == places_of(*points[::-1])


def test_lone_point_on_a_border_keeps_the_name_it_has_by_rounding():
    assert places_of((11.196974999, 48.6)) == places_of((11.19697, 48.6))
