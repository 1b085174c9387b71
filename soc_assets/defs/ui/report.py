"""Figures, tables and links as Dagster metadata."""

import base64
from pathlib import Path

import dagster as dg
import pandas as pd

from soc_assets.reporting.as_text import markdown
from soc_assets.tracking.champion import read_card
from soc_assets.tracking.run import RunRecord
from soc_assets.tracking.store import MlflowTracking


def picture(png: bytes, caption: str = "") -> dg.MarkdownMetadataValue:
    """A PNG that the UI shows inline."""
    below = f"\n\n{markdown(caption)}" if caption else ""
    return dg.MetadataValue.md(f"![figure](data:image/png;base64,{base64.b64encode(png).decode()}){below}")


def uri(path: Path) -> dict[str, str]:
    """Where an asset's file is, as the UI shows it beside the asset."""
    return {"dagster/uri": path.resolve().as_uri()}


def table(frame: pd.DataFrame, rows: int = 200) -> dg.MarkdownMetadataValue:
    """The first rows of a table as Markdown."""
    first = frame.head(rows)
    head = first.astype(object).where(first.notna(), "").map(lambda value: markdown(str(value))).to_numpy().tolist()
    lines = [
        " | ".join(markdown(str(name)) for name in frame.columns),
        " | ".join("---" for _ in frame.columns),
        *(" | ".join(r) for r in head),
    ]
    more = f"\n\n{len(frame) - rows} rows more" if len(frame) > rows else ""
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines) + more)


def counts(series: pd.Series, name: str) -> dg.MarkdownMetadataValue:
    """How often each value occurs, as a table."""
    return table(series.value_counts().rename_axis(name).reset_index(name="count"))


def card(record: RunRecord) -> dict[str, dg.MetadataValue]:
    """The model card of a run, where it has one."""
    markdown = read_card(record)
    return {"model_card": dg.MetadataValue.md(markdown)} if markdown else {}


def link(tracking: MlflowTracking) -> dg.MetadataValue:
    """Where MLflow keeps the runs."""
    return dg.MetadataValue.url(tracking.server) if tracking.server else dg.MetadataValue.path(tracking.where)
