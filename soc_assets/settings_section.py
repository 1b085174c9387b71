"""What every table of soc.toml has in common; the tables themselves are in `settings` and `settings_soil`."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of soc.toml: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
