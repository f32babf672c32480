"""Roles under the supervisor: started, watched, started again, stopped in order."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maestro.embedded import keeper, part
from maestro.embedded.errors import PartFailedError
from maestro.embedded.folder import DataFolder
from maestro.embedded.keeper import RoleSpec, RoleState, answers_ok
from maestro.embedded.ports import HeldPorts
from maestro.embedded.supervisor import RoleStatus, Supervisor

DEADLINE_S = 15.0

PROGRAM = """
import http.server, os, signal, sys, threading

mode = sys.argv[1]
if mode == "misconfigured":
    print("HOST: not set", file=sys.stderr)
    sys.exit(2)

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if mode != "never-ready" else 503)
        self.end_headers()
    def log_message(self, *words):
        pass

server = http.server.HTTPServer(("127.0.0.1", int(os.environ["MAESTRO_HEALTH_PORT"])), Health)
print("name", os.environ["MAESTRO_STATIC_NAME"], flush=True)

def end(*_):
    if mode != "deaf":
        print("asked to end", flush=True)
        os._exit(0)

signal.signal(signal.SIGTERM, end)
server.serve_forever()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    """A data folder held by this test."""
    made = DataFolder(tmp_path / "data")
    made.acquire()
    yield made
    made.release()


def supervisor_of(folder: DataFolder, *roles: RoleSpec, stop_grace_s: float = 5.0) -> Supervisor:
    """Supervise a small program that serves health like a role does."""
    program = folder.root / "role.py"
    program.write_text(PROGRAM)
    return Supervisor(
        roles,
        folder=folder,
        env={"PATH": os.environ["PATH"]},
        program=(sys.executable, str(program)),
        stop_grace_s=stop_grace_s,
    )


async def until(supervisor: Supervisor, is_it: Callable[[RoleStatus], bool]) -> RoleStatus:
    """Wait for the first role to be as asked for."""
    for _ in range(int(DEADLINE_S / 0.05)):
        status = supervisor.statuses()[0]
        if is_it(status):
            return status
        await asyncio.sleep(0.05)
    pytest.fail(f"the role stayed {supervisor.statuses()}")


async def test_roles_get_a_name_and_a_health_port_of_their_own(folder: DataFolder) -> None:
    roles = (RoleSpec(name="a-1", arguments=("serve",)), RoleSpec(name="a-2", arguments=("serve",)))
    async with supervisor_of(folder, *roles) as supervisor:
        await supervisor.wait_ready(DEADLINE_S)
        first, second = supervisor.statuses()
        assert first.health_port != second.health_port
        assert await answers_ok(first.health_port, "/ready")
    names = {Path(status.log).read_text().splitlines()[0] for status in (first, second)}
    assert names == {f"name {folder.state.cluster_id[:8]}-a-{number}" for number in (1, 2)}


async def test_a_killed_role_is_started_again_under_the_same_name_and_port(folder: DataFolder) -> None:
    async with supervisor_of(folder, RoleSpec(name="a", arguments=("serve",))) as supervisor:
        await supervisor.wait_ready(DEADLINE_S)
        before = supervisor.statuses()[0]
        await supervisor.kill("a")
        after = await until(supervisor, lambda s: s.restarts == 1 and s.state is RoleState.READY)
        assert after.pid != before.pid
        assert after.health_port == before.health_port
    lines = Path(after.log).read_text().splitlines()
    assert [line for line in lines if line.startswith("name")] == [lines[0]] * 2


async def test_a_role_that_hangs_is_killed_and_started_again(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "WATCH_POLL_S", 0.05)
    monkeypatch.setattr(keeper, "LIVE_MISSES", 2)
    monkeypatch.setattr(part, "ASK_TIMEOUT_S", 0.2)
    async with supervisor_of(folder, RoleSpec(name="a", arguments=("serve",))) as supervisor:
        await supervisor.wait_ready(DEADLINE_S)
        before = supervisor.statuses()[0]
        assert before.pid is not None
        os.kill(before.pid, signal.SIGSTOP)
        after = await until(supervisor, lambda s: s.restarts == 1 and s.state is RoleState.READY)
        assert after.pid != before.pid


async def test_a_health_port_is_kept_over_starts_unless_somebody_holds_it(folder: DataFolder) -> None:
    role = RoleSpec(name="a", arguments=("serve",))
    somebody = HeldPorts()
    ports: list[int] = []
    for _ in range(3):
        async with supervisor_of(folder, role) as supervisor:
            await supervisor.wait_ready(DEADLINE_S)
            ports.append(supervisor.statuses()[0].health_port)
            assert not somebody.take(ports[-1])
        if len(ports) == 2:
            assert somebody.take(ports[-1])
    somebody.release()
    assert ports[0] == ports[1] != ports[2]


async def test_a_role_whose_settings_do_not_fit_is_not_tried_again(folder: DataFolder) -> None:
    async with supervisor_of(folder, RoleSpec(name="a", arguments=("misconfigured",))) as supervisor:
        with pytest.raises(PartFailedError, match="HOST: not set"):
            await supervisor.wait_ready(DEADLINE_S)
        assert supervisor.statuses()[0].state is RoleState.FAILED
        assert supervisor.statuses()[0].restarts == 0


async def test_a_role_that_does_not_get_ready_is_named(folder: DataFolder) -> None:
    async with supervisor_of(folder, RoleSpec(name="slow", arguments=("never-ready",))) as supervisor:
        with pytest.raises(PartFailedError, match="slow was not ready within 1 s"):
            await supervisor.wait_ready(1.0)


async def test_stopping_asks_first(folder: DataFolder) -> None:
    async with supervisor_of(folder, RoleSpec(name="a", arguments=("serve",))) as supervisor:
        await supervisor.wait_ready(DEADLINE_S)
    status = supervisor.statuses()[0]
    assert (status.state, status.pid) == (RoleState.STOPPED, None)
    assert "asked to end" in Path(status.log).read_text()


async def test_a_role_that_does_not_end_is_killed_after_its_grace(folder: DataFolder) -> None:
    role = RoleSpec(name="a", arguments=("deaf",))
    async with supervisor_of(folder, role, stop_grace_s=0.5) as supervisor:
        await supervisor.wait_ready(DEADLINE_S)
    assert supervisor.statuses()[0].pid is None
