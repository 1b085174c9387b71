"""What maps say in tables: a row per map, and the map at every sample."""

from soc_assets.integrity.schemas.columns import LATITUDE, LONGITUDE, LOWER, PREDICTED, SAMPLE_ID, UPPER, Column, Table

_MODEL = Column("model", "string", "registered model, as mlflow.pyfunc.load_model takes it")
_PERIOD = Column("period", "string", "2023, or 2023_summer")
_CELLS = (
    ("cells_inside", "inside the area of applicability"),
    ("cells_outside", "outside it"),
    ("cells_beyond", "outside the region"),
    ("cells_incomplete", "that lack more images than any training sample"),
    ("cells_masked", "of a masked class"),
    ("cells_unknown", "whose applicability is not known"),
)
MAP_CELLS = tuple(name for name, _ in _CELLS)
"""Columns of cells by class of quality, in the order of the classes."""

MAPS = Table(
    "maps/[!.]*/[!.]*/map.parquet",
    "maps of organic carbon, by model and period",
    (
        _MODEL,
        Column("recipe", "string", "that the model was fitted by"),
        Column("weights", "string", "random or pretrained weights behind the embeddings"),
        Column("spec", "string", "digest of the embedding spec"),
        Column("model_digest", "string", "of the model and of all that it was fitted on; the folder of its maps"),
        _PERIOD,
        Column("year", "int32", "of the period"),
        Column("season", "string", "of the period"),
        Column("digest", "string", "of everything that decided the map"),
        Column("made", "string", "UTC"),
        Column("cells", "int64", "with a value"),
        *(Column(name, "int64", f"cells {words}") for name, words in _CELLS),
        *(
            Column(name, "float64", f"of organic carbon over the cells, g/kg: {words}")
            for name, words in (("mean", "mean"), ("std", "standard deviation"), ("min", "least"), ("max", "largest"))
        ),
        *(Column(f"q{number:02d}", "float64", f"{number} % of the cells have less, g/kg") for number in (5, 50, 95)),
    ),
)
MAP_AT_SAMPLES = Table(
    "maps/[!.]*/[!.]*/samples.parquet",
    "maps at the places of all usable samples, whatever their years",
    (
        _MODEL,
        Column("model_digest", "string", "the folder of the model's maps"),
        _PERIOD,
        SAMPLE_ID,
        LONGITUDE,
        LATITUDE,
        PREDICTED,
        LOWER,
        UPPER,
        Column("dissimilarity", "float64", "from the training samples, by the area of applicability"),
        Column("quality", "int32", "class of the cell: 0 inside the area of applicability, ... (docs/map.md)"),
    ),
)
