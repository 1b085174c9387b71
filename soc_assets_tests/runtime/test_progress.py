"""Progress from where the work is done to whoever listens, without anybody handing it through."""

import logging
from threading import Thread

import pytest

from soc_assets.runtime import progress
from soc_assets.runtime.progress import Pace, Progress
from soc_assets.runtime.threads import threaded_map
from soc_assets_tests.reported import reported


def test_progress_has_the_name_of_the_innermost_block_and_outside_there_is_none():
    seen: list[Progress] = []
    with progress.listening(seen.append):
        progress.report(1, 2, "nobody's")
        with progress.of("one"):
            with progress.of("other"):
                progress.report(1, 3)
            with progress.silent():
                progress.report(2, 3)
            progress.report(3, 3, "words")
    assert seen == [Progress("other", 1, 3), Progress("one", 3, 3, "words")]


def test_parts_and_steps_put_counts_where_they_belong(caplog):
    with caplog.at_level(logging.INFO, "soc_assets"), reported() as seen:
        progress.report(1, 5, "fits", unit="fit")
        with progress.part(3, 5), progress.step(0, 1, "folds"):
            progress.report(2, 9, "clusterings")
        progress.report(5, 5)
    assert [(now.done, now.total, now.message) for now in seen] == [
        (1, 5, "fits"),
        (3, 5, "folds"),
        (3, 5, "folds: 2 of 9 clusterings"),
        (5, 5, ""),
    ]
    assert caplog.messages == ["fit 1 of 5: fits", "step 4 of 5: folds"]


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def after(clock: Clock, pace: Pace, seconds: float, done: int, total: int = 100) -> float | None:
    clock.now += seconds
    return pace.left(done, total)


def test_time_left_follows_the_pace_of_late_and_what_was_there_already_drops_out():
    clock = Clock()
    pace = Pace(clock)
    assert after(clock, pace, 0, 40) is None  # of an earlier run
    assert after(clock, pace, 1, 41) is None  # too soon to tell
    assert after(clock, pace, 9, 50) == pytest.approx(50)  # 10 in 10 s
    for done in range(51, 61):
        found = after(clock, pace, 10, done)
    assert found == pytest.approx(400)  # it has become slower: 40 are left, of 10 s each
    assert after(clock, pace, 400, 100) is None


def test_a_pause_without_progress_and_other_work_are_not_taken_for_a_pace():
    clock = Clock()
    pace = Pace(clock)
    after(clock, pace, 0, 0)
    assert after(clock, pace, 5, 0) is None
    assert after(clock, pace, 5, 1) == pytest.approx(990)
    assert after(clock, pace, 1, 0, 7) is None  # a total of its own
    assert after(clock, pace, 3, 1, 7) == pytest.approx(18)
    assert after(clock, pace, 1, 0, 7) is None  # from the beginning again


def test_long_work_is_estimated_from_a_bounded_number_of_counts():
    clock = Clock()
    pace = Pace(clock)
    for done in range(20_000):
        left = after(clock, pace, 1, done, 40_000)
    assert left == pytest.approx(20_001)
    assert len(pace._seen) < 300


def test_time_left_is_in_the_progress_the_log_and_the_message_of_a_step(caplog, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "Pace", lambda: Pace(clock))
    scope = progress._Scope("asset", pace=Pace(clock))
    with caplog.at_level(logging.INFO, "soc_assets"), progress._in(scope), progress.listening((seen := []).append):
        for done in range(3):
            progress.report(done, 9, "r2 0.5", unit="fit")
            clock.now += 20
        progress.report(3, 9, left=7.0, unit="fit")
        with progress.step(3, 9, "folds"):
            progress.report(0, 10, "clusterings")
            clock.now += 4
            progress.report(2, 10, "clusterings")
    assert [now.left for now in seen[:4]] == [None, 160.0, 140.0, 7.0]
    assert caplog.messages[1:4] == [
        "fit 1 of 9: r2 0.5, about 3 min left",
        "fit 2 of 9: r2 0.5, about 2 min left",
        "fit 3 of 9: about 7 s left",
    ]
    assert seen[-1].message == "folds: 2 of 10 clusterings, about 16 s left in this step" and seen[-1].left is None


def test_large_files_are_reported_in_megabytes_of_all_and_small_ones_not_at_all():
    with reported() as seen:
        with progress.reading("a.csv", 20_000_000, 60_000_000):
            progress.report_bytes(10_000_000)
        with progress.reading("b.csv", 0, 1000):
            progress.report_bytes(1000)
    assert [(now.done, now.total, now.message) for now in seen] == [(30, 60, "MB read, a.csv")]


def test_pool_threads_report_for_the_asset_that_started_them_and_others_do_not():
    with reported() as seen:
        list(threaded_map(lambda n: progress.report(n, 3), range(3)))
        other = Thread(target=progress.report, args=(1, 1))
        other.start()
        other.join()
    assert sorted((now.asset, now.done) for now in seen) == [("asset", 0), ("asset", 1), ("asset", 2)]


def test_handler_hears_the_package_in_its_block_and_the_level_is_put_back():
    heard, logger = [], logging.getLogger("soc_assets.some.module")

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    before = logging.getLogger("soc_assets").level
    with progress.logging_to(Handler(), "soc_assets"):
        logger.info("inside")
    logger.info("outside")
    assert heard == ["inside"]
    assert logging.getLogger("soc_assets").level == before
