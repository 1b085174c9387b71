import errno
import os

import numpy as np
import pytest

from soc_assets.errors import StorageError
from soc_assets.runtime import memory
from soc_assets.storage import scratch


def test_a_matrix_that_fits_is_in_memory_and_leaves_no_file(tmp_path):
    with scratch.matrices(tmp_path / "soc.duckdb") as allocate:
        matrix = allocate((10, 3))
        assert not scratch.is_mapped(matrix)
        assert list(tmp_path.iterdir()) == []


def test_a_matrix_that_takes_too_much_is_a_file_for_the_time_of_the_block(tmp_path):
    available = memory.available()
    assert available is not None
    with scratch.matrices(tmp_path / "soc.duckdb", most=1e5 / available) as allocate:  # 100 kB
        assert not scratch.is_mapped(allocate((20, 1000)))
        matrix = allocate((50, 1000))
        matrix[:] = np.arange(1000)
        [file] = tmp_path.iterdir()
        assert (matrix.dtype, scratch.is_mapped(matrix), scratch.is_mapped(matrix[3:, ::2])) == (np.float32, True, True)
        assert file.stat().st_size == matrix.nbytes
        assert not scratch.is_mapped(matrix[[0, 1]])  # indexing copies
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_removed_when_the_block_fails(tmp_path):
    with pytest.raises(RuntimeError), scratch.matrices(tmp_path / "soc.duckdb", most=0) as allocate:
        allocate((4, 4))[:] = 1
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_no_rows_need_no_file(tmp_path):
    with scratch.matrices(tmp_path / "soc.duckdb", most=0) as allocate:
        assert allocate((0, 4)).shape == (0, 4)
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch):
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(StorageError, match="full"), scratch.matrices(tmp_path / "soc.duckdb", most=0) as allocate:
        allocate((4, 4))
    assert list(tmp_path.iterdir()) == []
