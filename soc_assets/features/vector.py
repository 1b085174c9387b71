"""The flattened feature vector: which band, lag and dimension stands at which position, and the SQL that builds it.

The order is the reference band, further static bands, then band by band with lag 0 first. Aligned by lag, samples of
different years share the meaning of every position; aligned by calendar year most positions of a sample are empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from soc_assets.embedding.spec import Spec
from soc_assets.embedding.steps import Slot, Step
from soc_assets.settings import SEASONS, Features, Study

_STATIC = Step()


@dataclass(frozen=True)
class Segment:
    """One image's stretch of the vector: band and lag, or where aligned by calendar, band and step."""

    band: str
    lag: int | None
    step: Step = _STATIC


def segments(spec: Spec, features: Features, study: Study) -> list[Segment]:
    """The stretches of the vector, in order."""
    if features.alignment == "lag":
        return [Segment(slot.band.name, slot.lag) for slot in spec.slots]
    static = [Segment(slot.band.name, None) for slot in spec.slots if slot.lag is None]
    timed = dict.fromkeys(slot.band for slot in spec.slots if slot.lag is not None)
    steps = [(band, step) for band in timed for step in _calendar(Slot(band, 0), spec.choices["time_before"], study)]
    return static + [Segment(band.name, None, step) for band, step in steps]


def images_sql(spec: Spec, features: Features, parts: list[Segment]) -> str:
    """An expression over the view `embeddings`: the list of the sample's images, in order, null where missing."""
    static = "[elevation_embedding], map_values(static_embeddings)"
    if features.alignment == "absolute":
        steps = [part.step.key(part.band) for part in parts if part.step != _STATIC]
        timed = ", ".join(f"channel_time_embeddings['{key}']" for key in steps)
        return f"list_concat({static}, [{timed}])"
    return f"list_concat({static}, map_values(channel_time_embeddings))"  # maps keep the order of the slots


def vector_sql(spec: Spec, features: Features, images: str) -> str:
    """An expression of type FLOAT[]: the images flattened, with what the setting `missing` puts in a gap."""
    length = spec.shape[0] * spec.shape[1]
    filler = "NULL" if features.missing == "null" else "0"
    empty = f"list_transform(range({length}), lambda i: {filler}::FLOAT)"
    if features.missing == "nearest_lag" and features.alignment == "lag":
        images = _filled_sql(spec.slots, images)
    return f"flatten(list_transform({images}, lambda image: coalesce(flatten(image), {empty})))"


def _filled_sql(every: list[Slot], images: str) -> str:
    """The images with each missing one replaced by its band's nearest lag; of two equally near the more recent."""
    choices = []
    for index, slot in enumerate(every):
        lags = {n: s.lag for n, s in enumerate(every) if s.band == slot.band and s.lag is not None}
        order = sorted(lags, key=lambda n: (abs(lags[n] - lags[index]), lags[n])) if lags else [index]
        choices.append(f"coalesce({', '.join(f'v[{n + 1}]' for n in order)})")
    return f"list_transform([{images}], lambda v: [{', '.join(choices)}])[1]"


def _calendar(slot: Slot, time_before: int, study: Study) -> Iterator[Step]:
    """Every step that any sample of the study may read, the most recent first."""
    if slot.band.kind == "yearly":
        first = study.year_from - study.first_lag - time_before + 1
        yield from (Step(year) for year in range(study.year_to - study.first_lag, first - 1, -1))
        return
    last = study.year_to * 4 + 3 + 1  # December belongs to the next year's winter
    first = study.year_from * 4 - study.first_lag - time_before + 1
    yield from (Step(number // 4, SEASONS[number % 4]) for number in range(last - study.first_lag, first - 1, -1))
