"""The DuckDB database over the samples and embeddings, the flattened feature vector, and reading it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soc_assets.features.dataset import FeatureDataset
    from soc_assets.features.reading import Loaded, load_features

__all__ = ["FeatureDataset", "Loaded", "load_features"]


def __getattr__(name: str) -> Any:
    """What people import by name is loaded when it is asked for: the dataset needs torch."""
    if name == "FeatureDataset":
        from soc_assets.features.dataset import FeatureDataset

        return FeatureDataset
    if name in ("Loaded", "load_features"):
        from soc_assets.features import reading

        return getattr(reading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
