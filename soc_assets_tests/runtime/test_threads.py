from contextlib import closing
from threading import Barrier, Event, Timer, get_ident

import pytest

from soc_assets.runtime.threads import threaded_map


def test_results_come_in_order_from_other_threads_that_run_together():
    together = Barrier(3, timeout=20)  # passes only if three are at it at the same time

    def work(n: int) -> tuple[int, int]:
        together.wait()
        return n, get_ident()

    results = list(threaded_map(work, range(6), threads=3))
    assert [n for n, _ in results] == list(range(6))
    assert get_ident() not in {thread for _, thread in results}


def test_an_error_is_raised_in_its_turn():
    results = threaded_map(lambda n: 10 // n, [5, 2, 0, 1], threads=2)
    assert [next(results), next(results)] == [2, 5]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_what_has_not_begun_is_left_when_the_caller_stops():
    begun, go = [], Event()

    def work(n: int) -> int:
        begun.append(n)
        if n:
            go.wait(20)
        return n

    with closing(threaded_map(work, range(2000), threads=1)) as results:
        assert next(results) == 0
        Timer(0.1, go.set).start()  # the one that has begun ends only after the rest was called off
    assert len(begun) < 2000
