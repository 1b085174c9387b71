"""Shared by the tests of documents."""

import socket

import pytest


@pytest.fixture
def offline(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
