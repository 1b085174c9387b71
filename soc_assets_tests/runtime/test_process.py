"""Which processes can be judged here: a host's name alone says nothing, containers can share it."""

import os
import socket
import time

from soc_assets.runtime import process


def test_process_is_known_again_by_machine_and_number():
    marks = process.marks()
    assert process.process_of(marks) == os.getpid()
    assert marks[process.HOST_TAG] == socket.gethostname()


def test_process_of_a_container_with_the_same_host_name_is_not_judged():
    elsewhere = {**process.marks(), process.MACHINE_TAG: "00000000"}
    assert process.process_of(elsewhere) is None
    assert process.process_of({process.HOST_TAG: socket.gethostname(), process.PROCESS_TAG: "1"}) is None


def test_process_is_known_by_its_birth_whatever_the_clock_says():
    marks = process.marks()
    hour = 3600.0
    for seen in (time.time() - hour, time.time(), time.time() + hour):  # the clock was set forward, not at all, back
        assert not process.is_gone(marks, seen)
    successor = {**marks, process.BIRTH_TAG: "00000000-1"}  # its number was taken over
    assert process.is_gone(successor, time.time())
    assert not process.is_gone({**successor, process.MACHINE_TAG: "00000000"}), "not judged from here"


def test_names_of_files_tell_of_dead_processes_of_this_machine_alone():
    own, machine, ended = process.mark_of_files(), process.this_machine(), 2**22 + 1
    assert process.is_gone_from_name(f".a.zarr.{own}1234abcd.tmp") is False
    taken_over = own.replace(own.split("-")[2], "00000000")  # its number is another process's now
    assert process.is_gone_from_name(f".a.zarr.{taken_over}1234abcd.tmp") is True
    assert process.is_gone_from_name(f".a.{machine}-{os.getpid()}-1234abcd.tmp") is False, "of a version before"
    assert process.is_gone_from_name(f".a.{machine}-{ended}-1234abcd.tmp") is True
    assert process.is_gone_from_name(f".a.00000000-{ended}-1234abcd.tmp") is None
    assert process.is_gone_from_name(".a.tmp") is None
