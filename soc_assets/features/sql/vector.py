"""The flattened feature vector: which band, lag and dimension is at which position, and the SQL that builds it.

The order is the reference band, further static bands, then band by band with lag 0 first; point values, where they are
included, follow all embeddings in the same order, four per band and lag. Aligned by lag, samples of
different years share the meaning of every position; aligned by calendar year most positions of a sample are empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from soc_assets.embedding.spec import Spec
from soc_assets.embedding.tile_cache import POINT_WINDOWS
from soc_assets.rasters.steps import Slot, Step
from soc_assets.settings import Features, Study
from soc_assets.settings.seasons import season_number, season_of_number, season_year

_STATIC = Step()


@dataclass(frozen=True)
class Segment:
    """One slice of the vector: an image's embedding, or the point values of a band and step.

    Attributes:
        what: embedding or point.
        band: or the group of bands.
        lag: None for static bands, and where steps are aligned by calendar.
        step: where they are aligned by calendar.
        rows: of tokens; 1 for points.
        width: of a row.
    """

    what: str
    band: str
    lag: int | None
    step: Step
    rows: int
    width: int

    @property
    def length(self) -> int:
        """Features."""
        return self.rows * self.width


def segments(spec: Spec, features: Features, study: Study) -> list[Segment]:
    """The slices of the vector, in order: embeddings, then point values, as the setting `include` says."""
    every = {"embedding": (spec.slots, spec.shape), "point": (spec.band_slots, (1, len(POINT_WINDOWS)))}
    return [
        Segment(what, name, lag, step, *shape)
        for what, (slots, shape) in every.items()
        if what in features.include
        for name, lag, step in _ranges(slots, features.alignment, spec.choices["time_before"], study)
    ]


def _ranges(
    slots: list[Slot], alignment: str, time_before: int, study: Study
) -> Iterator[tuple[str, int | None, Step]]:
    if alignment == "lag":
        yield from ((slot.name, slot.lag, _STATIC) for slot in slots)
        return
    yield from ((slot.name, None, _STATIC) for slot in slots if slot.lag is None)
    for name, kind in dict.fromkeys((slot.name, slot.kind) for slot in slots if slot.lag is not None):
        yield from ((name, None, step) for step in _calendar(kind, time_before, study))


def images_sql(spec: Spec, features: Features, study: Study) -> str:
    """An expression over the view `embeddings`: the list of the sample's images, in order, null where missing."""
    static = "[elevation_embedding], map_values(static_embeddings)"
    if features.alignment == "absolute":
        found = _ranges(spec.slots, "absolute", spec.choices["time_before"], study)
        keys = [step.key(name) for name, _, step in found if step != _STATIC]
        timed = ", ".join(f"channel_time_embeddings['{key}']" for key in keys)
        return f"list_concat({static}, [{timed}])"
    return f"list_concat({static}, map_values(channel_time_embeddings))"  # maps keep the order of the slots


def keys_sql(spec: Spec) -> str:
    """An expression over the view `embeddings`: the list of the images' keys, in the order of the slots."""
    return (
        f"list_concat(['{spec.choices['reference']}'], map_keys(static_embeddings), map_keys(channel_time_embeddings))"
    )


def missing_sql(spec: Spec, features: Features, study: Study) -> str:
    """An expression over the view `embeddings`: how many of the sample's images are missing."""
    lists = _image_lists(spec, features, study)
    return " + ".join(f"len({images}) - list_count({images})" for images in lists)


def vector_sql(spec: Spec, features: Features, study: Study) -> str:
    """An expression of type FLOAT[] over the view `embeddings`, with what the setting `missing` puts in a gap."""
    filler = "NULL" if features.missing == "null" else "0"
    parts = []
    if "embedding" in features.include:
        parts.append(_images_joined_sql(spec, features, study, filler))
    if "point" in features.include:
        parts.append(points_joined_sql(spec, features, _points_sql(spec, features, study)))
    return _concatenated(parts)


def points_joined_sql(spec: Spec, features: Features, points: str) -> str:
    """The point values one after another, of an expression that lists those of each band and lag, in order."""
    filled = _filled_sql(spec.band_slots, points, features)
    return f"flatten(list_transform({filled}, lambda p: {whole_points_sql(features)}))"


def whole_points_sql(features: Features) -> str:
    """Of point values `p` of a band and lag, with what the setting `missing` puts in a gap."""
    filler = "NULL" if features.missing == "null" else "0"
    empty = f"[{', '.join([f'{filler}::FLOAT'] * len(POINT_WINDOWS))}]"
    return f"coalesce(list_transform(p, lambda x: coalesce(x, {filler}::FLOAT)), {empty})"


def _images_joined_sql(spec: Spec, features: Features, study: Study, filler: str) -> str:
    """The images one after another; most samples have all, and theirs are joined without checking each."""
    lists = _image_lists(spec, features, study)
    filled = lists
    if features.missing == "nearest_lag":
        filled = [_filled_sql(spec.slots, images_sql(spec, features, study), features)]
    empty = f"list_transform(range({spec.shape[0] * spec.shape[1]}), lambda i: {filler}::FLOAT)"
    each = f"lambda image: coalesce(flatten(image)::FLOAT[], {empty})"
    all_there = " AND ".join(f"list_count({images}) = len({images})" for images in lists)
    as_they_are = _concatenated([f"flatten(flatten({images}))::FLOAT[]" for images in lists])
    with_gaps = _concatenated([f"flatten(list_transform({images}, {each}))" for images in filled])
    return f"CASE WHEN {all_there} THEN {as_they_are} ELSE {with_gaps} END"


def _concatenated(parts: list[str]) -> str:
    return f"list_concat({', '.join(parts)})" if len(parts) > 1 else parts[0]


def _image_lists(spec: Spec, features: Features, study: Study) -> list[str]:
    """Lists of images, null where missing, that follow one another in the vector: by lag the columns as they are."""
    if features.alignment == "absolute":
        return [images_sql(spec, features, study)]
    lags = [slot.lag for slot in spec.slots[1:]]
    static = ["map_values(static_embeddings)"] if None in lags else []
    timed = ["map_values(channel_time_embeddings)"] if any(lag is not None for lag in lags) else []
    return ["[elevation_embedding]", *static, *timed]


def _points_sql(spec: Spec, features: Features, study: Study) -> str:
    if features.alignment == "lag":
        return "map_values(point_values)"
    found = _ranges(spec.band_slots, "absolute", spec.choices["time_before"], study)
    return "[" + ", ".join(f"point_values['{step.key(name)}']" for name, _, step in found) + "]"


def _filled_sql(every: list[Slot], values: str, features: Features) -> str:
    """The values with each missing one replaced by its band's nearest lag; of two equally near the more recent."""
    if features.missing != "nearest_lag":
        return values
    choices = [
        f"coalesce({', '.join(f'v[{n + 1}]' for n in stand_ins(every, index, features))})"
        for index in range(len(every))
    ]
    return f"list_transform([{values}], lambda v: [{', '.join(choices)}])[1]"


def stand_ins(every: list[Slot], index: int, features: Features) -> list[int]:
    """Positions of the slots of which the first that is not missing is taken for a slot, beginning with itself."""
    band = every[index]
    lags = {n: s.lag for n, s in enumerate(every) if s.name == band.name and s.lag is not None}
    if features.missing != "nearest_lag" or not lags:
        return [index]
    return sorted(lags, key=lambda n: (abs(lags[n] - lags[index]), lags[n]))


def _calendar(kind: str, time_before: int, study: Study) -> Iterator[Step]:
    """Every step that any sample of the study may read, the most recent first."""
    if kind == "yearly":
        first = study.year_from - study.first_lag - time_before + 1
        yield from (Step(year) for year in range(study.year_to - study.first_lag, first - 1, -1))
        return
    last = season_number(season_year(study.year_to, 12), 0)  # of a sample of the last December
    first = season_number(study.year_from, 0) - study.first_lag - time_before + 1
    yield from (Step(*season_of_number(number)) for number in range(last - study.first_lag, first - 1, -1))
