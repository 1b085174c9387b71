"""Pictures and tables as Dagster metadata."""

import base64

import dagster as dg
import pandas as pd


def picture(png: bytes) -> dg.MarkdownMetadataValue:
    """A PNG that the UI shows in place."""
    return dg.MetadataValue.md(f"![figure](data:image/png;base64,{base64.b64encode(png).decode()})")


def table(frame: pd.DataFrame, rows: int = 200) -> dg.MarkdownMetadataValue:
    """The first rows of a table as Markdown."""
    first = frame.head(rows)
    head = first.astype(object).where(first.notna(), "").map(str).to_numpy().tolist()
    lines = [
        " | ".join(map(str, frame.columns)),
        " | ".join("---" for _ in frame.columns),
        *(" | ".join(r) for r in head),
    ]
    more = f"\n\n{len(frame) - rows} rows more" if len(frame) > rows else ""
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines) + more)


def counts(series: pd.Series, name: str) -> dg.MarkdownMetadataValue:
    """How often each value occurs, as a table."""
    return table(series.value_counts().rename_axis(name).reset_index(name="count"))
