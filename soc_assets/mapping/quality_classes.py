"""The classes of `quality.tif`: where a map may be believed, and why a cell is empty; with their colours."""

INSIDE, OUTSIDE, BEYOND, INCOMPLETE, MASKED, UNKNOWN = range(6)
NODATA = 255
CLASSES = {
    INSIDE: "inside the area of applicability",
    OUTSIDE: "outside the area of applicability",
    BEYOND: "outside the region",
    INCOMPLETE: "too many inputs missing",
    MASKED: "masked class",
    UNKNOWN: "applicability unknown",
}
COLOURS = {
    INSIDE: (44, 123, 85, 255),
    OUTSIDE: (230, 159, 0, 255),
    BEYOND: (255, 255, 255, 0),
    INCOMPLETE: (204, 102, 119, 255),
    MASKED: (136, 136, 136, 255),
    UNKNOWN: (153, 187, 221, 255),
}
