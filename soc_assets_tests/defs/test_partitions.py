"""Partitions, when two processes register them at once."""

from collections.abc import Callable

import dagster as dg
import pytest
import sqlalchemy
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from soc_assets.defs.partitions import add_changes, add_maps, register

BATCHES = ["batch_0001", "batch_0002", "batch_0003"]


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


@pytest.fixture
def meanwhile(instance):
    """Calls a function once, between Dagster's look for known partitions and its insertion of the new ones."""
    waiting = []

    def before(connection, cursor, statement, *rest):
        if statement.startswith("INSERT INTO dynamic_partitions") and waiting:
            waiting.pop()()

    sqlalchemy.event.listen(Engine, "before_cursor_execute", before)
    yield waiting.append
    sqlalchemy.event.remove(Engine, "before_cursor_execute", before)
    assert not waiting


def another_process_adds(instance: dg.DagsterInstance, name: str, keys: list[str]) -> Callable[[], None]:
    def added() -> None:
        with dg.DagsterInstance.from_ref(instance.get_ref()) as theirs:
            theirs.add_dynamic_partitions(name, keys)

    return added


@pytest.mark.parametrize("theirs", [BATCHES, ["batch_0002"]])
def test_batches_registered_by_another_process_meanwhile_are_no_error(instance, meanwhile, theirs):
    meanwhile(another_process_adds(instance, "batch", theirs))
    register(instance, BATCHES)
    assert sorted(instance.get_dynamic_partitions("batch")) == BATCHES


def test_a_batch_that_is_gone_is_no_partition_any_more(instance):
    register(instance, BATCHES)
    register(instance, BATCHES[1:])
    assert instance.get_dynamic_partitions("batch") == BATCHES[1:]


def test_partitions_of_maps_and_changes_registered_meanwhile_are_no_error(instance, meanwhile):
    meanwhile(another_process_adds(instance, "map_tile", ["2015/1"]))
    assert sorted(add_maps(instance, ["2015/0", "2015/1"], ["2015"])[0]) == ["2015/0", "2015/1"]
    meanwhile(another_process_adds(instance, "map_change", ["2000-2015"]))
    assert add_changes(instance, ["2000-2015"]) == ["2000-2015"]


def test_what_cannot_be_registered_for_another_reason_is_an_error(instance):
    with pytest.raises(IntegrityError):
        register(instance, ["batch_0001", "batch_0001"])
