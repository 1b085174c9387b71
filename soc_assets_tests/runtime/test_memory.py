"""Too little memory is told in words: before anything is loaded where it is certain, and from libraries' errors."""

import resource
import subprocess
import sys

import numpy as np
import pytest

from soc_assets.runtime import memory


def test_limit_that_is_too_low_is_told_before_anything_is_loaded():
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (600 * 2**20,) * 2)

    command = [sys.executable, "-m", "soc_assets", "status"]
    told = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stderr.startswith("Error: `ulimit -v` allows this process 600 MB") and "Traceback" not in told.stderr


def test_errors_of_libraries_are_known_by_their_words():
    with pytest.raises(MemoryError) as caught:
        np.empty(2**56)
    try:
        raise ValueError("something else") from caught.value
    except ValueError as error:
        assert "There is not enough memory" in (memory.shortage(error) or "")
    assert memory.shortage(ValueError("something else")) is None


def test_available_memory_is_what_the_machine_has_or_a_limit_leaves():
    code = """
import resource, soc_assets.runtime.memory as memory
before = memory.available()
resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))
print(before, memory.available())
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    before, limited = (int(number) for number in said)
    assert before > 2**28
    assert limited == min(before, 2**30)
