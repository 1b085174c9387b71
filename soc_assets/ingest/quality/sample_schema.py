"""What every sample must be: types, ranges, nothing missing, no id twice. A pandera schema, imported where it is used.

Rows unusable in themselves are rejected in `ingest.soil.clean` before; a failure here points to a wrong unit or
column mapping of a table.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd

from soc_assets.integrity.schemas import SOIL_SAMPLES, pandas_type
from soc_assets.integrity.schemas.columns import Rule
from soc_assets.reporting.findings import Finding

if TYPE_CHECKING:
    from pandera.pandas import Check, DataFrameSchema

FAILURE_COLUMNS = ("sample_id", "column", "value", "rule")
CURE = "Check the units and columns of its table ([soil.columns] in soc.toml), or mend the row."
_MOST_NAMED = 5


def sample_schema(*, timed: bool) -> "DataFrameSchema":
    """The schema of samples.parquet.

    Args:
        timed: whether any band has time, so that every sample needs a year.
    """
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            column.name: pa.Column(
                pandas_type(column),
                _checks(column.rule),
                nullable=column.nullable and not (timed and column.name == "year"),
                unique=column.rule.unique,
            )
            for column in SOIL_SAMPLES
            if column.rule
        }
    )


def _checks(rule: Rule) -> "list[Check]":
    from pandera.pandas import Check

    if rule.values:
        return [Check.isin(rule.values, error=f"one of {', '.join(rule.values)}")]
    if rule.low is None:
        return []
    high = datetime.now(UTC).year if rule.high == "this year" else rule.high
    return [Check.in_range(rule.low, high, error=f"between {rule.low:g} and {high:g}")]


def schema_failures(samples: pd.DataFrame, *, timed: bool) -> pd.DataFrame:
    """Every value that breaks the schema.

    Args:
        samples: the table of samples.
        timed: whether every sample needs a year.

    Returns:
        `FAILURE_COLUMNS`, all text: sample_id ("" where a whole column is meant), column, value, rule; empty if none.
    """
    from pandera.errors import SchemaErrors

    indexed = samples.reset_index(drop=True)
    try:
        sample_schema(timed=timed).validate(indexed, lazy=True)
    except SchemaErrors as error:
        return _described(error.failure_cases, indexed)
    return pd.DataFrame(columns=list(FAILURE_COLUMNS), dtype="str")


def failures_in_words(failures: pd.DataFrame, samples: pd.DataFrame) -> str:
    """What breaks the schema and where, the first five, with the fix; "" where nothing does.

    Args:
        failures: of `schema_failures`.
        samples: the table that they are of.
    """
    if failures.empty:
        return ""
    named = {"sample_id", "file", "row"} <= set(samples.columns)
    where = (
        {
            str(own): f" ({file} row {row})"
            for own, file, row in samples[["sample_id", "file", "row"]].itertuples(index=False)
            if own in set(failures["sample_id"].head(_MOST_NAMED))
        }
        if named
        else {}
    )
    lines = [
        f"sample {own or '(all)'}{where.get(own, '')}: {column} is {value}, expected {rule}"
        for own, column, value, rule in failures.head(_MOST_NAMED).itertuples(index=False)
    ]
    more = f" and {len(failures) - _MOST_NAMED} more" if len(failures) > _MOST_NAMED else ""
    return f"{'; '.join(lines)}{more}"


def schema_findings(samples: pd.DataFrame, *, timed: bool) -> list[Finding]:
    """The failures of the schema as one error, which the asset check `schema` shows in the same words."""
    words = failures_in_words(schema_failures(samples, timed=timed), samples)
    return [Finding("schema", "error", "", "", "", words, CURE, acceptable=False)] if words else []


def _described(cases: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    lines = []
    for case in cases.to_dict("records"):
        in_row = not pd.isna(case["index"])
        own = str(samples["sample_id"].iloc[int(case["index"])]) if in_row and "sample_id" in samples else ""
        column = case["column"] if case["schema_context"] == "Column" and not pd.isna(case["column"]) else ""
        lines.append((own, str(column), str(case["failure_case"]), _rule(str(case["check"]))))
    return pd.DataFrame(lines, columns=list(FAILURE_COLUMNS), dtype="str")


def _rule(check: str) -> str:
    """What was expected, in words."""
    if check.startswith("dtype("):
        return f"of type {check[6:-1].strip(chr(39))}"
    words = {
        "not_nullable": "not missing",
        "field_uniqueness": "unique",
        "column_in_dataframe": "a column of the table",
    }
    return words.get(check, check)
