"""What changes between periods say in a table: a row per change."""

from soc_assets.integrity.schemas.columns import Column, Table

_CELLS = (
    ("cells_within", "whose change is no more than the uncertainty"),
    ("cells_decrease", "whose decrease is more than the uncertainty"),
    ("cells_increase", "whose increase is more than the uncertainty"),
    ("cells_uncertain", "whose uncertainty is not known"),
)
CHANGE_CELLS = tuple(name for name, _ in _CELLS)
"""Columns of cells by class of `beyond_uncertainty.tif`, in the order of the classes."""

MAP_CHANGES = Table(
    "maps/[!.]*/change_*/change.parquet",
    "changes of predicted organic carbon between two periods, later minus earlier; no proof that carbon has changed",
    (
        Column("model", "string", "registered model, as mlflow.pyfunc.load_model takes it"),
        Column("recipe", "string", "that the model was fitted by"),
        Column("model_digest", "string", "of the model and of all that it was fitted on; the folder of its maps"),
        Column("change", "string", "2015_2023, or 2015_2023_summer"),
        Column("before", "string", "the earlier period"),
        Column("after", "string", "the later period"),
        Column("season", "string", "of both periods"),
        Column("members", "int64", "of the model that the intervals come from; 0 where it has none"),
        Column("level", "float64", "of the intervals"),
        Column("digest", "string", "of everything that decided the change"),
        Column("made", "string", "UTC"),
        Column("cells", "int64", "with a value at both periods"),
        *(Column(name, "int64", f"cells {words}") for name, words in _CELLS),
        Column("cells_inside", "int64", "cells inside the area of applicability at both periods"),
        Column("cells_outside", "int64", "cells outside it at one period or both"),
        *(
            Column(name, "float64", f"of the change over the cells, g/kg: {words}")
            for name, words in (("mean", "mean"), ("std", "standard deviation"), ("min", "least"), ("max", "largest"))
        ),
        *(Column(f"q{number:02d}", "float64", f"{number} % of the cells have less, g/kg") for number in (5, 50, 95)),
    ),
)
