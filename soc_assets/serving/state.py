"""What the server knows of the project, read again where files have changed since."""

import threading
from dataclasses import dataclass, field
from typing import Any

from soc_assets.embedding.spec import Spec
from soc_assets.project import Project
from soc_assets.rasters.index import RasterIndex
from soc_assets.serving.inputs import index_of, spec_of
from soc_assets.serving.layers import Range, spans
from soc_assets.serving.maps import MapFolder, find_maps, stamps_of_maps
from soc_assets.serving.rasters import RasterLayer, raster_layers, stamp
from soc_assets.serving.samples import Samples, read_samples
from soc_assets.storage import files


@dataclass
class State:
    """The project as it was last looked at; any thread may ask.

    Attributes:
        project: settings and paths.
    """

    project: Project
    _kept: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def maps(self) -> dict[tuple[str, str], MapFolder]:
        """The maps by model and period; see `find_maps`."""
        return self._known("maps", stamps_of_maps(self.project.data), lambda: find_maps(self.project.data))

    def spans(self, model: str) -> dict[str, Range]:
        """From where to where the ramps of a model's layers go."""
        own = [found for found in self.maps().values() if found.model == model]
        return self._known(f"spans {model}", stamps_of_maps(self.project.data), lambda: spans(own))

    def rasters(self) -> dict[str, RasterLayer]:
        """The rasters of the catalog, by key."""
        return self._known("rasters", stamp(self.project), lambda: raster_layers(self.project))

    def samples(self, found: MapFolder) -> Samples:
        """The samples, with residuals as they suit a map."""
        names = [self.project.samples("samples"), self.project.samples("balanced")]
        names += [self.project.results / f"{name}.parquet" for name in ("out_of_fold", "predictions")]
        stamps = tuple(files.stamp(path) if path.is_file() else None for path in names)
        key = f"samples {found.facts.get('recipe')}"
        return self._known(key, stamps, lambda: read_samples(self.project, found))

    def inputs(self, found: MapFolder) -> tuple[Spec, RasterIndex] | None:
        """The spec of a map's model and the rasters of its bands; None where they are gone."""
        now = stamp(self.project)
        return self._known(f"inputs {found.facts.get('spec')}", now, lambda: self._read_inputs(found)) if now else None

    def _read_inputs(self, found: MapFolder) -> tuple[Spec, RasterIndex] | None:
        spec = spec_of(self.project, found)
        return None if spec is None else (spec, index_of(self.project, spec))

    def _known(self, key: str, now: Any, read: Any) -> Any:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept[0] != now:
                kept = self._kept[key] = (now, read())
            return kept[1]
