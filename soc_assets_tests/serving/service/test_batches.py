"""Requests that wait together are predicted together, each gets its own rows, and none fails for another's."""

import threading
from concurrent.futures import wait

import pandas as pd
import pytest

from soc_assets.serving.service import batches as module
from soc_assets.serving.service.batches import Batches
from soc_assets.serving.service.places import RefusedError


class Model:
    """Doubles numbers; waits until it may, and fails at a negative one."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.may = threading.Event()

    def __call__(self, points: pd.DataFrame) -> pd.DataFrame:
        self.may.wait(10)
        self.seen.append(len(points))
        if (points["x"] < 0).any():
            raise ValueError("negative")
        return pd.DataFrame({"y": points["x"] * 2})


def rows(*numbers: int) -> pd.DataFrame:
    return pd.DataFrame({"x": numbers})


@pytest.fixture
def model():
    return Model()


def test_waiting_requests_are_predicted_together_and_get_their_own_rows(model):
    waiting = Batches(model)
    answers = [waiting.ask(rows(*range(first, first + 3))) for first in range(0, 30, 3)]
    model.may.set()
    wait(answers, 10)
    assert [list(answer.result()["y"]) for answer in answers] == [
        [2 * k, 2 * k + 2, 2 * k + 4] for k in range(0, 30, 3)
    ]
    assert sum(model.seen) == 30 and len(model.seen) <= 2  # the first may have begun alone


def test_no_batch_is_larger_than_the_limit_and_a_large_request_goes_alone(model, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 8)
    waiting = Batches(model)
    sizes = [1, 3, 4, 5, 20, 2, 6]
    answers = [waiting.ask(rows(*range(size))) for size in sizes]
    model.may.set()
    wait(answers, 10)
    assert [len(answer.result()) for answer in answers] == sizes
    assert 20 in model.seen and all(size <= 8 for size in model.seen if size != 20) and sum(model.seen) == sum(sizes)


def test_a_request_that_fails_fails_alone(model):
    waiting = Batches(model)
    answers = [waiting.ask(rows(number)) for number in (1, -1, 3)]
    model.may.set()
    wait(answers, 10)
    assert [answer.result()["y"].item() for answer in answers[::2]] == [2, 6]
    with pytest.raises(ValueError, match="negative"):
        answers[1].result()
    assert waiting.ask(rows(5)).result(10)["y"].item() == 10  # and the thread goes on


def test_too_many_waiting_rows_are_refused_and_one_large_request_is_not(model, monkeypatch):
    monkeypatch.setattr(module, "_WAITING", 10)
    waiting = Batches(model)
    first = waiting.ask(rows(*range(12)))
    with pytest.raises(RefusedError, match="Ask again") as refused:
        waiting.ask(rows(1))
    assert refused.value.status == 503
    model.may.set()
    assert len(first.result(10)) == 12
    assert waiting.ask(rows(1)).result(10)["y"].item() == 2
