"""Ports are chosen free, different, and below the range of outgoing connections."""

import socket

import pytest

from maestro.embedded.ports import HIGHEST, LOOPBACK, LOWEST, is_free, pick_port

FIRST_OUTGOING_PORT = 32_768


def test_ports_are_different_and_below_those_of_outgoing_connections() -> None:
    ports: list[int] = []
    for _ in range(200):
        ports.append(pick_port(ports, free=lambda _: True))
    assert len(set(ports)) == 200
    assert all(LOWEST <= port < HIGHEST < FIRST_OUTGOING_PORT for port in ports)


def test_a_port_that_is_not_free_is_passed_over() -> None:
    asked: list[int] = []

    def third_is_free(port: int) -> bool:
        asked.append(port)
        return len(asked) == 3

    assert pick_port((), free=third_is_free) == asked[-1]
    assert len(asked) == 3


def test_when_nothing_is_free_the_search_ends_with_an_error() -> None:
    with pytest.raises(OSError, match="no free port"):
        pick_port((), free=lambda _: False)


def test_a_listened_port_is_not_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert not is_free(server.getsockname()[1])
