"""Ports are chosen free, below the range of outgoing connections, and nobody else gets one that is held."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from maestro.embedded.ports import HIGHEST, LOOPBACK, LOWEST, HeldPorts, hold, is_free

FIRST_OUTGOING_PORT = 32_768
STARTERS = 6
PORTS_EACH = 100
"""So many that 600 numbers drawn without a hold would almost surely meet: one in ten million would not."""
END_LIMIT_S = 30
STARTER = """
import sys
from maestro.embedded.ports import HeldPorts

print("here", flush=True)
sys.stdin.readline()
ports = HeldPorts(free=lambda _: True)
print(*(ports.pick() for _ in range(int(sys.argv[1]))), flush=True)
sys.stdin.readline()
"""

Starter = subprocess.Popen[str]


@pytest.fixture
def ports() -> Iterator[HeldPorts]:
    """Ports of the test's own, given back at its end."""
    made = HeldPorts()
    yield made
    made.release()


@pytest.fixture
def others() -> Iterator[HeldPorts]:
    """Those of somebody else, who would think every port free."""
    made = HeldPorts(free=lambda _: True)
    yield made
    made.release()


def test_ports_are_different_and_below_those_of_outgoing_connections(ports: HeldPorts) -> None:
    picked = [ports.pick() for _ in range(100)]
    assert len(set(picked)) == 100
    assert all(LOWEST <= port < HIGHEST < FIRST_OUTGOING_PORT for port in picked)


def test_a_port_that_is_not_free_or_to_be_avoided_is_passed_over() -> None:
    asked: list[int] = []

    def third_is_free(port: int) -> bool:
        asked.append(port)
        return len(asked) == 3

    avoided = range(LOWEST, HIGHEST, 2)
    ports = HeldPorts(free=third_is_free)
    assert ports.pick(avoided) == asked[-1]
    assert len(asked) == 3
    assert not set(asked) & set(avoided)
    ports.release()


def test_when_nothing_is_free_the_search_ends_with_an_error_and_holds_nothing(others: HeldPorts) -> None:
    asked: list[int] = []
    with pytest.raises(OSError, match="no free port"):
        HeldPorts(free=lambda port: bool(asked.append(port))).pick()
    assert any(others.take(port) for port in set(asked))


def test_a_listened_port_is_not_free(ports: HeldPorts) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        assert not ports.take(port)
    assert ports.take(port)


def test_a_held_port_can_be_listened_on(ports: HeldPorts) -> None:
    with socket.create_server((LOOPBACK, ports.pick())):
        pass


def test_a_held_port_is_nobody_elses_until_it_is_released(ports: HeldPorts, others: HeldPorts) -> None:
    port = ports.pick()
    assert hold(port) is None
    assert not others.take(port)
    assert not ports.take(port)
    ports.release()
    assert others.take(port)


def test_a_remembered_port_is_used_again_unless_somebody_holds_it(
    ports: HeldPorts, others: HeldPorts
) -> None:
    first = ports.assign(("kafka", "redis"), {"role-a": LOWEST})
    ports.release()
    assert ports.assign(("kafka", "redis"), first) == first

    ports.release()
    assert others.take(first["redis"])
    second = ports.assign(("kafka", "redis"), first)
    assert {name: port for name, port in second.items() if name != "redis"} == {
        "role-a": LOWEST,
        "kafka": first["kafka"],
    }
    assert second["redis"] not in first.values()


def told(starter: Starter) -> str:
    """Return the next line that it says."""
    assert starter.stdout is not None
    return starter.stdout.readline().strip()


def go(starter: Starter) -> None:
    """Let it take its next step."""
    assert starter.stdin is not None
    _ = starter.stdin.write("\n")
    starter.stdin.flush()


@pytest.fixture
def starters() -> Iterator[list[Starter]]:
    """Processes that wait to pick ports at the same moment."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, str(PORTS_EACH)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(STARTERS)
    ]
    assert [told(each) for each in started] == ["here"] * STARTERS
    yield started
    for each in started:
        each.kill()
        _ = each.communicate(timeout=END_LIMIT_S)


def test_processes_that_start_at_once_share_no_port_and_a_killed_one_holds_none(
    starters: list[Starter], others: HeldPorts
) -> None:
    for each in starters:
        go(each)
    picked = [[int(word) for word in told(each).split()] for each in starters]
    assert [len(each) for each in picked] == [PORTS_EACH] * STARTERS
    assert len({port for each in picked for port in each}) == STARTERS * PORTS_EACH

    assert not any(others.take(port) for each in picked for port in each)
    starters[0].kill()
    _ = starters[0].wait(END_LIMIT_S)
    # Not all: another process of the tests may have been faster with one of them.
    assert any(others.take(port) for port in picked[0])
    assert not any(others.take(port) for each in picked[1:] for port in each)
