"""What every table of soc.toml has in common: it is frozen, and unknown keys are errors."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A table of soc.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
