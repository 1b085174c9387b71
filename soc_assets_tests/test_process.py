"""Which processes can be judged here: a host's name alone says nothing, containers can share it."""

import os
import socket

from soc_assets import process


def test_process_is_known_again_by_machine_and_number():
    marks = process.marks()
    assert process.process_of(marks) == os.getpid()
    assert marks[process.HOST_TAG] == socket.gethostname()


def test_process_of_a_container_with_the_same_host_name_is_not_judged():
    elsewhere = {**process.marks(), process.MACHINE_TAG: "00000000"}
    assert process.process_of(elsewhere) is None
    assert process.process_of({process.HOST_TAG: socket.gethostname(), process.PROCESS_TAG: "1"}) is None
