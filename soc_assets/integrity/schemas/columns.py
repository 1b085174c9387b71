"""What is said of a column and of a table, in terms of no library; standard library only."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

SPLITS = ("train", "validation", "test")
"""The values of `split`, in the order in which they are drawn and shown."""
FIRST_YEAR = 1950
"""Samples before are taken for a wrong date."""
MOST_CARBON = 1000.0
"""g/kg: a sample cannot hold more carbon than it weighs."""


@dataclass(frozen=True)
class Rule:
    """What every value must be; what is None is not asked.

    Attributes:
        low: the least value.
        high: the largest value; `this year` is the year in which it is asked.
        values: all there are.
        unique: whether each is in one row only.
    """

    low: float | None = None
    high: float | str | None = None
    values: tuple[str, ...] | None = None
    unique: bool = False


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: as the file has it.
        type: in the words of Arrow: string, int32, list<float64>, map<string, float64>, ...
        description: what a value means, with its unit.
        nullable: whether a row may lack it.
        rule: what `ingest` refuses samples by; None asks nothing, not even whether the column is there.
    """

    name: str
    type: str
    description: str
    nullable: bool = True
    rule: Rule | None = None


@dataclass(frozen=True)
class Table:
    """A table that one asset writes, or a view.

    Attributes:
        path: of the Parquet file, below the data folder; a pattern where there are several; "" where there is none.
        description: what a row is.
        columns: in the order of the file.
    """

    path: str
    description: str
    columns: tuple[Column, ...]

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        return self.columns[self.names.index(name)]


def pandas_type(column: Column) -> str:
    """The name of pandas' type: a whole number that may be missing has one of its own, a list is an object."""
    if column.type.startswith("int"):
        return column.type.capitalize() if column.nullable else column.type
    kind = column.type.partition("<")[0]
    return {"string": "str", "timestamp": "datetime64[us]", "list": "object"}.get(kind, kind)


SAMPLE_ID = Column("sample_id", "string", "the sample", nullable=False, rule=Rule(unique=True))
BAND = Column("band", "string", "raster variable, or group of them")
LONGITUDE = Column("longitude", "float64", "WGS84 degrees", nullable=False, rule=Rule(-180, 180))
LATITUDE = Column("latitude", "float64", "WGS84 degrees", nullable=False, rule=Rule(-90, 90))
CARBON = Column("organic_carbon", "float64", "organic carbon, g/kg", nullable=False, rule=Rule(0, MOST_CARBON))
OBSERVED = Column("observed", "float64", CARBON.description)
LOCATION = Column("location_id", "string", "samples of one place share it, and are in one split")
SPLIT = Column("split", "string", "train, validation or test; null for samples that are not studied")
MULTIPLICITY = Column("multiplicity", "int32", "how often training repeats the sample")
WEIGHT = Column("weight", "float32", "of the sample in the loss")
YEAR = Column("year", "int32", "of sampling", rule=Rule(FIRST_YEAR, "this year"))
SCHEME = Column("scheme", "string", "how folds were cut")
MODEL = Column("model", "string", "what was fitted")
FITTED_ON = Column("features", "string", "what it was fitted on")
PREDICTED = Column("predicted", "float64", "predicted organic carbon, g/kg")
LOWER = Column("lower", "float64", "lower end of the prediction's interval, g/kg")
UPPER = Column("upper", "float64", "upper end of the prediction's interval, g/kg")
RUN = Column("run_id", "string", "MLflow run")
