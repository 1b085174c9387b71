"""The flattened feature vector: which band, lag and dimension stands at which position, and the SQL that builds it.

The order is the reference band, further static bands, then band by band with lag 0 first. Aligned by lag, samples of
different years share the meaning of every position; aligned by calendar year most positions of a sample are empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from soc_assets.embedding.spec import Spec
from soc_assets.embedding.steps import Slot, Step
from soc_assets.settings import SEASONS, Features, Study


@dataclass(frozen=True)
class Segment:
    """One image's stretch of the vector: band, lag (or step, where aligned by calendar) and the SQL of its tokens."""

    band: str
    lag: int | None
    step: Step
    sql: str


def segments(spec: Spec, features: Features, study: Study) -> list[Segment]:
    """The stretches of the vector in order; `sql` refers to the columns of the view `embeddings`."""
    if features.alignment == "absolute":
        return list(_by_calendar(spec, study))
    result, statics = [], sum(slot.lag is None for slot in spec.slots)
    for index, slot in enumerate(spec.slots):
        order = _nearest(index, spec.slots) if features.missing == "nearest_lag" else [index]
        sql = ", ".join(_image(n, statics) for n in order)
        result.append(Segment(slot.band.name, slot.lag, Step(), f"coalesce({sql})" if len(order) > 1 else sql))
    return result


def vector_sql(spec: Spec, parts: list[Segment], missing: str) -> str:
    """An expression of type FLOAT[] over the view `embeddings`."""
    length = spec.shape[0] * spec.shape[1]
    filler = "NULL" if missing == "null" else "0"
    empty = f"list_transform(range({length}), lambda i: {filler}::FLOAT)"
    images = ",\n      ".join(part.sql for part in parts)
    return f"flatten(list_transform([\n      {images}\n    ], lambda image: coalesce(flatten(image), {empty})))"


def missing_sql(parts: list[Segment], spec: Spec) -> str:
    """An expression counting the images that a sample lacks, before any filling."""
    statics = sum(slot.lag is None for slot in spec.slots)
    images = [_image(index, statics) for index in range(len(spec.slots))]
    if parts and parts[-1].step != Step():
        images = [part.sql for part in parts]
    return " + ".join(f"({image} IS NULL)::INTEGER" for image in images)


def _nearest(index: int, every: list[Slot]) -> list[int]:
    """The band's slots from the nearest lag to the farthest; of two equally near the more recent first."""
    here = every[index]
    if here.lag is None:
        return [index]
    lags = {n: slot.lag for n, slot in enumerate(every) if slot.band.name == here.band.name and slot.lag is not None}
    return sorted(lags, key=lambda n: (abs(lags[n] - lags[index]), lags[n]))


def _image(index: int, statics: int) -> str:
    """The tokens of a slot: maps keep the order of the slots, so the place says which one."""
    if index == 0:
        return "elevation_embedding"
    if index < statics:
        return f"map_values(static_embeddings)[{index}]"
    return f"map_values(channel_time_embeddings)[{index - statics + 1}]"


def _by_calendar(spec: Spec, study: Study) -> Iterator[Segment]:
    statics = [slot for slot in spec.slots if slot.lag is None]
    for index, slot in enumerate(statics):
        yield Segment(slot.band.name, None, Step(), _image(index, len(statics)))
    for band in dict.fromkeys(slot.band for slot in spec.slots if slot.lag is not None):
        for step in _calendar(Slot(band, 0), spec.choices["time_before"], study):
            yield Segment(band.name, None, step, f"channel_time_embeddings['{step.key(band.name)}']")


def _calendar(slot: Slot, time_before: int, study: Study) -> Iterator[Step]:
    """Every step that any sample of the study may read, the most recent first."""
    if slot.band.kind == "yearly":
        first = study.year_from - study.first_lag - time_before + 1
        yield from (Step(year) for year in range(study.year_to - study.first_lag, first - 1, -1))
        return
    last = study.year_to * 4 + 3 + 1  # December belongs to the next year's winter
    first = study.year_from * 4 - study.first_lag - time_before + 1
    yield from (Step(number // 4, SEASONS[number % 4]) for number in range(last - study.first_lag, first - 1, -1))
