"""The reference of the settings is that of the code."""

from pathlib import Path

from soc_assets.settings.loading import Settings
from soc_assets.settings.reference import _table_in, reference

PAGE = Path(__file__).parents[2] / "docs/settings.md"


def test_page_is_made_from_the_code():
    again = "`python -m soc_assets.settings.reference > docs/settings.md` writes it again"
    assert PAGE.read_text() == reference(), again


def test_every_setting_is_described():
    assert list(_undescribed(Settings)) == []


def _undescribed(section, path=""):
    for name, field in section.model_fields.items():
        table, _ = _table_in(field.annotation)
        if path and not field.description:
            yield f"{path}{name}"
        if table is not None:
            yield from _undescribed(table, f"{path}{name}.")
