"""The synthetic landscape: smooth random fields, the bands made of them, and the organic carbon they imply.

A field is a sum of plane waves, so it has a value at any coordinate and every raster can have a grid of its own. Most
of the variance lies at 20 to 80 km, because a window of 24 km averages away what is finer. All coordinates are metres
in EPSG:25832. Everything here is invented; only the means resemble Bavaria. Writing files is elsewhere.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

WEST, SOUTH, EAST, NORTH = 660_000, 5_308_000, 740_000, 5_388_000
"""The region, round Munich and Freising: 80 km x 80 km."""
MARGIN = 7_500
"""Metres from the edge of the region to where samples begin: most windows lie inside."""
YEARS = range(2008, 2024)
"""Years of the yearly bands."""
STEPS = 5
"""Years, the sampling year first, whose weather a sample remembers."""
LOG_MEAN, LOG_SPREAD = np.log(17.6), 0.65
"""Mean and standard deviation of the explainable part of log organic carbon (g/kg) over the sampled area."""
PLACE_NOISE, VISIT_NOISE = 0.28, 0.26
"""Standard deviation, in log g/kg, of what is peculiar to a location and to one visit."""


@dataclass(frozen=True)
class Waves:
    """A smooth random field with mean 0 and variance 1: k plane waves (radians per metre, radians)."""

    along_x: np.ndarray
    along_y: np.ndarray
    phase: np.ndarray

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Values at x, y (metres), of their shape."""
        total = np.zeros(np.shape(x))
        for along_x, along_y, phase in zip(self.along_x, self.along_y, self.phase, strict=True):
            total += np.cos(along_x * x + along_y * y + phase)
        return total * np.sqrt(2 / len(self.phase))


@dataclass(frozen=True)
class Recipe:
    """How a band follows from the fields: mean + spread * (weights . fields + weather * anomaly of the year)."""

    means: tuple[float, float]  # lowest and highest yearly mean over the region, the band's own unit
    spread: float
    weights: Mapping[str, float]
    weather: float = 0.0


RECIPES = {
    "Elevation": Recipe((559, 559), 95, {"terrain": 1.0}),  # m
    "LAI": Recipe((13, 16), 3.4, {"green": 0.9, "wet": 0.2}, 0.35),  # x0.1
    "LST": Recipe((14_286, 14_394), 55, {"terrain": -0.6, "green": -0.5}, 0.4),  # x0.02 K
    "MODIS_NPP": Recipe((3521, 4540), 520, {"green": 0.6, "wet": 0.4, "terrain": -0.3}, 0.4),  # x0.1 g C/m2
    "SoilEvaporation": Recipe((0.32, 0.34), 0.035, {"wet": -0.7, "green": -0.4}, 0.4),  # mm/day
    "TotalEvapotranspiration": Recipe((118, 123), 13, {"wet": 0.8, "green": 0.3}, 0.4),  # x0.1 mm
}
CARBON = {"wet": 0.75, "green": 0.45, "terrain": 0.35}
WEATHER_OF_CARBON = {"TotalEvapotranspiration": 0.35, "LAI": 0.2}  # means over the last STEPS years
PEAT = 0.2  # extra carbon where it is wetter than 0.8


@dataclass(frozen=True)
class Landscape:
    """Fields, bands and organic carbon of one seed."""

    seed: int

    def rng(self, *names: object) -> np.random.Generator:
        """A random generator of its own for each purpose, so that no draw depends on another."""
        return np.random.default_rng([self.seed, zlib.crc32("/".join(map(str, names)).encode())])

    def fields(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """The lasting fields terrain, wet and green at x, y; each about standard normal over the region."""
        southward = (0.5 * (SOUTH + NORTH) - y) / (NORTH - SOUTH)  # -0.5 in the north, 0.5 in the south
        return {
            "terrain": 2.4 * southward
            + 0.55 * self._waves("terrain", 25e3, 80e3)(x, y)
            + self._detail("terrain", x, y),
            "wet": 0.95 * self._waves("wet", 30e3, 80e3)(x, y) + self._detail("wet", x, y),
            "green": 0.95 * self._waves("green", 30e3, 80e3)(x, y) + self._detail("green", x, y),
        }

    def lasting(self, name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The part of a band at x, y that is the same every year, in multiples of its spread."""
        fields = self.fields(x, y)
        return np.sum([weight * fields[field] for field, weight in RECIPES[name].weights.items()], axis=0)

    def band(self, name: str, year: int, x: np.ndarray, y: np.ndarray, lasting: np.ndarray) -> np.ndarray:
        """A band in one year at x, y (any year for Elevation), in its own unit, without the noise of its pixels."""
        recipe = RECIPES[name]
        mean = self.rng("mean", name, year).uniform(*recipe.means)
        return mean + recipe.spread * (lasting + recipe.weather * self._weather(name, year, x, y))

    def log_carbon(self, x: np.ndarray, y: np.ndarray, year: np.ndarray) -> np.ndarray:
        """The explainable part of log organic carbon (g/kg) at x, y [n] for samples taken in year [n]."""
        mean, spread = self._carbon_over_area
        return LOG_MEAN + LOG_SPREAD * (self._carbon(x, y, year) - mean) / spread

    @cached_property
    def _carbon_over_area(self) -> tuple[float, float]:
        x, y = np.meshgrid(
            np.linspace(WEST + MARGIN, EAST - MARGIN, 33), np.linspace(SOUTH + MARGIN, NORTH - MARGIN, 33)
        )
        values = np.concatenate(
            [self._carbon(x.ravel(), y.ravel(), np.full(x.size, year)) for year in (2012, 2017, 2022)]
        )
        return float(values.mean()), float(values.std())

    def _carbon(self, x: np.ndarray, y: np.ndarray, year: np.ndarray) -> np.ndarray:
        fields = self.fields(x, y)
        total = sum(weight * fields[field] for field, weight in CARBON.items())
        total = total + PEAT * np.log1p(np.exp(4 * (fields["wet"] - 0.8))) / 4
        for band, weight in WEATHER_OF_CARBON.items():
            for sampled in np.unique(year):
                here = year == sampled
                past = [self._weather(band, int(sampled) - lag, x[here], y[here]) for lag in range(STEPS)]
                total[here] += weight * np.mean(past, axis=0)
        return total

    def _weather(self, band: str, year: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._waves(f"{band} {year}", 40e3, 120e3, 6)(x, y)

    def _detail(self, name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 0.3 * self._waves(f"{name} detail", 3e3, 15e3, 24)(x, y)

    def _waves(self, name: str, shortest: float, longest: float, count: int = 12) -> Waves:
        """Waves of random length (metres), direction and phase; directions are spread evenly."""
        rng = self.rng("waves", name)
        length = np.exp(rng.uniform(np.log(shortest), np.log(longest), count))
        direction = rng.permutation(count) * np.pi / count + rng.uniform(0, np.pi / count, count)
        number = 2 * np.pi / length
        return Waves(number * np.cos(direction), number * np.sin(direction), rng.uniform(0, 2 * np.pi, count))
