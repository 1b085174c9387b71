"""Digests tell apart what differs, and nothing else."""

import hashlib

import pandas as pd
import pytest

from soc_assets.storage import digest

FRAME = pd.DataFrame({"id": ["a", "b"], "oc": [1.5, 2.5], "n": pd.array([1, None], "Int32")})


def test_order_of_keys_does_not_matter_and_order_of_a_list_does():
    assert digest.of_values({"a": 1, "b": [1, 2]}) == digest.of_values({"b": [1, 2], "a": 1})
    assert digest.of_values([1, 2]) != digest.of_values([2, 1])
    assert digest.of_values([1, None]) != digest.of_values([1])


def test_digest_is_the_same_in_every_process():
    assert digest.of_values(["fixed"]) == hashlib.sha256(b'["fixed"]').hexdigest()[:16]


@pytest.mark.parametrize(
    "other",
    [
        FRAME.assign(oc=[1.5, 2.5000001]),
        FRAME.assign(n=pd.array([1, 0], "Int32")),
        FRAME.rename(columns={"oc": "carbon"}),
        FRAME.iloc[::-1],
        FRAME.iloc[:1],
    ],
)
def test_table_that_differs_has_another_digest(other):
    assert digest.of_frame(other) != digest.of_frame(FRAME)


def test_index_of_a_table_does_not_matter():
    assert digest.of_frame(FRAME.set_axis([7, 8])) == digest.of_frame(FRAME)


def test_file_is_told_by_its_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"soil")
    assert digest.of_file(path, 64) == hashlib.sha256(b"soil").hexdigest()
    assert len(digest.of_file(path)) == 16
