"""The classes of a change between periods: whether it is more than the uncertainty, and where it may be believed."""

from soc_assets.mapping.quality_classes import BEYOND, COLOURS, INCOMPLETE, INSIDE, MASKED, OUTSIDE, UNKNOWN

WITHIN, LESS, MORE, NOT_KNOWN = range(4)
CLASSES = {
    WITHIN: "no more than the uncertainty",
    LESS: "decrease, more than the uncertainty",
    MORE: "increase, more than the uncertainty",
    NOT_KNOWN: "uncertainty unknown",
}
"""Of `beyond_uncertainty.tif`."""
CLASS_COLOURS = {
    WITHIN: (222, 219, 210, 255),
    LESS: (166, 97, 26, 255),
    MORE: (1, 133, 113, 255),
    NOT_KNOWN: (153, 187, 221, 255),
}
QUALITY = {
    INSIDE: "inside the area of applicability in both periods",
    OUTSIDE: "outside the area of applicability in one period or both",
    BEYOND: "outside the region",
    INCOMPLETE: "too many inputs missing in one period or both",
    MASKED: "masked class",
    UNKNOWN: "applicability unknown",
}
"""Of its `quality.tif`: the worse class of the two maps."""
QUALITY_COLOURS = COLOURS
WORST_FIRST = (BEYOND, MASKED, INCOMPLETE, OUTSIDE, UNKNOWN, INSIDE)
CAUTION = (
    "Difference of two predictions of one model, made from the rasters of two periods. A static training set cannot "
    "prove change: samples of many places and years say where carbon differs, not that it has changed at a place. The "
    "interval says how far the members of the model disagree about the difference, and nothing else."
)
"""What every file of a change says."""
