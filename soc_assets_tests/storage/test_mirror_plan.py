"""What is shared of a data folder, and what is done with a file of the copy: decided without storage."""

import pytest

from soc_assets.storage.mirror_index import Index
from soc_assets.storage.mirror_plan import Kept, Row, Stored, Todo, is_shared, plan


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("samples/samples.parquet", True),
        ("samples/splits.copy.parquet", True),
        ("embeddings/spec/spec.copy.json", True),
        ("embeddings/spec/batch_0001_size_256.parquet", True),
        ("features/soc.duckdb.json", True),
        ("soc.duckdb", False),
        ("export/features.csv", False),
        ("samples", False),
        ("embeddings/.removing-spec/spec.json", False),
        ("embeddings/spec/.batch.tmp", False),
        ("../samples/x", False),
    ],
)
def test_what_is_shared(name, expected):
    assert is_shared(name) is expected


OLD, NEW = Kept(1, 1), Kept(1, 5)
FIRST, SECOND = Stored(1, 2, "first"), Stored(1, 4, "second")
ROW, GOING = Row(OLD, "first"), Row(OLD, "first", removed=True)


@pytest.mark.parametrize(
    ("row", "kept", "stored", "expected"),
    [
        (ROW, OLD, FIRST, None),
        (None, None, FIRST, "get"),
        (ROW, OLD, SECOND, "get"),
        (None, OLD, None, "put"),
        (ROW, NEW, None, "put"),
        (ROW, NEW, SECOND, "put"),
        (ROW, Kept(2, 3), SECOND, "get"),
        (ROW, OLD, None, "remove here"),
        (ROW, None, FIRST, "get"),
        (GOING, None, FIRST, "remove there"),
        (GOING, None, SECOND, "get"),  # another host has made it again
        (GOING, OLD, FIRST, None),
        (ROW, None, None, "forget"),
        (None, Kept(1, 4), SECOND, "adopt"),
    ],
)
def test_what_is_to_be_done_with_a_file(row, kept, stored, expected):
    facts = [{"a": item} if item else {} for item in (row, kept, stored)]
    assert [todo.what for todo in plan(*facts, sends=True)] == ([expected] if expected else [])
    assert not expected or isinstance(plan(*facts, sends=True)[0], Todo)


def test_row_that_changed_meanwhile_is_not_written_over(tmp_path):
    index = Index(tmp_path / "index.sqlite")
    index.note("a", ROW)
    for expected, given in ((None, False), (GOING, False), (ROW, True)):
        with index.replacing("a", expected) as change:
            assert (change is not None) is given
    index.mark_removed(["a", "b"])
    assert index.rows() == {"a": GOING}
