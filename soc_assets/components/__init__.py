"""What other Dagster projects can put into a defs.yaml: `soc_assets.components.SocProject`, one study of several."""

from soc_assets.components.soc_project import SocProject

__all__ = ["SocProject"]
