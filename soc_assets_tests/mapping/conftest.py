"""Fixtures of the mapping tests."""

import pytest


@pytest.fixture(autouse=True)
def one_thread():
    """Products of small matrices in one thread: several would mostly wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
