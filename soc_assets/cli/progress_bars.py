"""How progress is drawn: bars in a terminal, elsewhere lines, and between them what a command does next."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from soc_assets.reporting.as_text import one_line
from soc_assets.runtime import progress


@contextmanager
def bars(console: Console) -> Iterator[None]:
    """A bar per asset inside the block."""
    columns = (TextColumn("{task.description:18}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn(), _Left())
    with Bars(*columns, TextColumn("{task.fields[words]}"), console=console) as bars:
        tasks: dict[str, Any] = {}

        def draw(now: progress.Progress) -> None:
            if now.asset not in tasks:
                tasks[now.asset] = bars.add_task(now.asset, total=now.total, words="", ends=None)
            ends = None if now.left is None else time.monotonic() + now.left
            words = escape(one_line(now.message))
            bars.update(tasks[now.asset], completed=now.done, total=now.total, words=words, ends=ends)

        with progress.listening(draw):
            yield


class _Left(ProgressColumn):
    """The time left, counted down between reports."""

    def render(self, task: Task) -> Text:
        """As words; nothing where it is not known, or everything is done."""
        ends = task.fields["ends"]
        if ends is None or task.finished:
            return Text("")
        return Text(progress.time_left(ends - time.monotonic()), style="progress.remaining")


class Words(logging.Handler):
    """What a command does next, in bold."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print it."""
        with suppress(OSError):
            self._console.print(f"[bold]{escape(record.getMessage())}[/]")


class Lines:
    """A line per asset at most every two seconds, and always the first and the last."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, float] = {}

    def __call__(self, now: progress.Progress) -> None:
        """Print it where it is due."""
        due = time.monotonic() - self._last.get(now.asset, -10) > 2
        if due or now.done == now.total:
            self._last[now.asset] = time.monotonic()
            left = "" if now.left is None else f"{', ' if now.message else ''}{progress.time_left(now.left)}"
            with suppress(OSError):  # a full disk beneath standard output ends no work; the command says so at its end
                self._console.print(
                    f"{now.asset}: {now.done} of {now.total}  {escape(now.message)}{left}", soft_wrap=True
                )
