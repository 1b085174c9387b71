"""Progress from where the work is done to whoever listens, without anybody handing it through."""

import logging
from threading import Thread

from soc_assets.runtime import progress
from soc_assets.runtime.progress import Progress
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
