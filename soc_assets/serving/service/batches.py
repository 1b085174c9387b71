"""Requests that come at the same time are predicted together: rasters are read and the model is asked once for all."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import pandas as pd

from soc_assets.serving.service.places import RefusedError

_log = logging.getLogger(__name__)
_ROWS = 2048
"""Rows that are predicted together; a request of more is predicted alone."""
_WAITING = 50_000
"""Rows that may wait; a request beyond them is told to come again."""
_SECONDS = 0.005
"""How long the first of a batch waits for others."""


@dataclass(frozen=True)
class _Request:
    points: pd.DataFrame
    answer: "Future[pd.DataFrame]"


class Batches:
    """A thread that predicts, and the requests that wait for it.

    Args:
        predict: rows of points to rows of predictions, called by that thread alone.
    """

    def __init__(self, predict: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        self._predict = predict
        self._waiting: queue.Queue[_Request] = queue.Queue()
        self._rows = 0
        self._lock = threading.Lock()
        self._last: _Request | None = None  # which did not fit into the batch before
        threading.Thread(target=self._work, name="predictions", daemon=True).start()

    def ask(self, points: pd.DataFrame) -> "Future[pd.DataFrame]":
        """The predictions of some rows, later.

        Raises:
            RefusedError: too many are waiting already.
        """
        with self._lock:
            if self._rows and self._rows + len(points) > _WAITING:
                raise RefusedError(503, "Too many places are waiting to be predicted. Ask again in some seconds.")
            self._rows += len(points)
        request = _Request(points, Future())
        self._waiting.put(request)
        return request.answer

    def _work(self) -> None:
        while True:
            batch = self._next()
            try:
                self._answer(batch)
            finally:
                with self._lock:
                    self._rows -= sum(len(request.points) for request in batch)

    def _next(self) -> list[_Request]:
        """The requests that are predicted together, in order."""
        batch = [self._last or self._waiting.get()]
        self._last, rows, until = None, len(batch[0].points), time.monotonic() + _SECONDS
        while rows < _ROWS:
            try:
                request = self._waiting.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if rows + len(request.points) > _ROWS:
                self._last = request
                break
            batch.append(request)
            rows += len(request.points)
        return batch

    def _answer(self, batch: list[_Request]) -> None:
        """Answer them together; where that fails each alone, so that nobody fails for another's request."""
        try:
            found = self._predict(pd.concat([request.points for request in batch], ignore_index=True))
        except Exception as error:
            if len(batch) > 1:
                _log.debug("a batch of %d requests failed: %s", len(batch), error)
                for request in batch:
                    self._answer([request])
            else:
                batch[0].answer.set_exception(error)
            return
        first = 0
        for request in batch:
            last = first + len(request.points)
            request.answer.set_result(found.iloc[first:last])
            first = last
