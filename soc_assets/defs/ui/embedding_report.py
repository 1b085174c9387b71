"""What the UI shows of batches: facts and a map of each, and how far a long run has come while it runs."""

import logging
import time
from contextvars import copy_context
from threading import Event, Thread
from typing import Any

import dagster as dg

from soc_assets.defs.ui import report
from soc_assets.embedding.batch import Written
from soc_assets.embedding.encoder.encoder import Encoder
from soc_assets.embedding.inputs import EmbeddingInputs
from soc_assets.embedding.plots import BatchMaps
from soc_assets.runtime import interrupts, progress

_log = logging.getLogger(__name__)
EVERY = 15.0  # seconds between two lines of the log


def facts(written: Written, inputs: EmbeddingInputs, maps: BatchMaps) -> dict[str, Any]:
    """Metadata of one batch."""
    samples = inputs.samples_of(written.key)
    speed = {"images_per_second": round(written.images / max(written.seconds, 1e-9))} if written.images else {}
    years = samples["year"].dropna()
    return {
        "batch": written.key,
        "samples": written.samples,
        "dagster/partition_row_count": written.samples,
        "years": f"{years.min()} to {years.max()}" if len(years) else "none",
        "cached": written.outcome == "cached",
        "outcome": written.outcome,
        "seconds": round(written.seconds, 3),
        "images_embedded": written.images,
        **speed,
        "missing_images": written.missing,
        "device": written.device,
        "file": dg.MetadataValue.path(str(written.path)),
        "inputs": written.inputs,
        "map": report.picture(maps.png(samples), f"This batch (blue) among all samples, {maps.extent}."),
    }


def in_words(written: Written) -> str:
    """What became of a batch, for the log."""
    what = f"{written.key} {written.outcome}: {written.samples} samples"
    if written.images:
        speed = written.images / max(written.seconds, 1e-9)
        what += f", {written.images:,} images in {written.seconds:.1f} s ({speed:,.0f} images/s, {written.device})"
    return what + (f", {written.missing} images missing" if written.missing else "")


def tell_faults(context: dg.AssetExecutionContext, written: Written) -> None:
    """What a batch's checks found, for the log."""
    for finding in written.findings:
        (context.log.error if finding.severity == "error" else context.log.warning)(finding.words)


class Pulse:
    """Tells the log and the progress bar every so often how far a run has come, from a thread of its own.

    Args:
        batches: of the run.
        images: at most so many will be embedded.
        every: seconds.
    """

    def __init__(self, batches: int, images: int, every: float = EVERY) -> None:
        self.encoder: Encoder | None = None  # once there is one
        self._batches, self._every = batches, every
        self._done, self._images, self._start = 0, images, time.perf_counter()
        self._ended = Event()
        self._thread = Thread(target=copy_context().run, args=(self._run,), name="pulse", daemon=True)

    def __enter__(self) -> "Pulse":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def finished(self, images_expected: int, images_embedded: int) -> None:
        """A batch is done; it took fewer images than it might have, none where it was cached."""
        self._done += 1
        self._images -= images_expected - images_embedded

    def _run(self) -> None:
        while not self._ended.wait(self._every) and not interrupts.requested():
            words, left = self._words()
            progress.report(self._done, self._batches, words, left=left)
            more = "" if left is None else f", {progress.time_left(left)}"
            _log.info("%d of %d batches done; %s%s", self._done, self._batches, words, more)

    def _words(self) -> tuple[str, float | None]:
        """How far the images are, and the seconds left by their pace."""
        embedded, seconds = self.encoder.images_embedded if self.encoder else 0, time.perf_counter() - self._start
        if not embedded:
            return f"reading rasters for {seconds:.0f} s", None
        rate = embedded / seconds
        words = f"{embedded:,} of at most {self._images:,} images, {rate:,.1f} images/s"
        return words, max(self._images - embedded, 0) / rate
