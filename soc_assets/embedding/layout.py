"""Where each band's images go: slots of the feature vector, frames in a slot, and what is seen together."""

import numpy as np

from soc_assets.embedding.spec import Spec
from soc_assets.rasters.steps import Slot


class Layout:
    """The arrangement of a spec, computed once.

    Attributes:
        slots: bands (or groups of them) and lags in feature order.
        band_slots: single bands and lags in feature order: those of the point values.
        frames: bands per slot.
    """

    def __init__(self, spec: Spec) -> None:
        self.slots, self.band_slots, self.frames = spec.slots, spec.band_slots, spec.frames
        self._slots_of = _slot_of_lag(self.slots)
        self._points_of = _slot_of_lag(self.band_slots)
        together = tuple(dict.fromkeys(slot.name for slot in self.slots if slot.lag is not None))
        members = {slot.name: slot.bands for slot in self.slots}
        alone = self.frames == 1
        self._scene_of = {
            band.name: (name,) if alone or bands[0].kind == "static" else together
            for name, bands in members.items()
            for band in bands
        }
        self._members = members

    @property
    def seen_together(self) -> int:
        """The most groups of frames that the transformer sees at once."""
        return max(map(len, self._scene_of.values()))

    def places_of(self, band: str) -> list[tuple[int, np.ndarray]]:
        """Frames where a band stands, each with the slot of every lag."""
        return [
            (frame, self._slots_of[name])
            for name, bands in self._members.items()
            for frame, member in enumerate(bands)
            if member.name == band
        ]

    def points_of(self, band: str) -> np.ndarray:
        """The slot of the point values of every lag of a band."""
        return self._points_of[band]

    def scene_of(self, band: str) -> tuple[str, ...]:
        """Names of the slots whose images the transformer sees together with the band's."""
        return self._scene_of[band]

    def scene_slots(self, scene: tuple[str, ...]) -> list[np.ndarray]:
        """Per name of a scene, the slot of every lag."""
        return [self._slots_of[name] for name in scene]

    def scene_frames(self, scene: tuple[str, ...]) -> list[str]:
        """The bands of a scene's frames, in order."""
        return [band.name for name in scene for band in self._members[name]]


def _slot_of_lag(slots: list[Slot]) -> dict[str, np.ndarray]:
    return {
        name: np.array([n for n, slot in enumerate(slots) if slot.name == name]) for name in {s.name for s in slots}
    }
