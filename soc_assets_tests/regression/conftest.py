import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tiny networks: threads only wait for each other, the more so when tests run in parallel."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
