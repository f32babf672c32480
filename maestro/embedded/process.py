"""A child process with a log file: started so that it dies with us, awaited until ready, stopped in time."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from maestro.embedded.errors import PartFailedError

LAUNCHER = Path(__file__).with_name("launch.py")
POLL_S = 0.05
KILL_WAIT_S = 10.0
LOG_LIMIT_BYTES = 10 * 1024 * 1024
TAIL_BYTES = 4_000

Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Identity:
    """The user and group that a child runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to start. `death_signal` is what the child gets when we die, `stop_signal` when we stop it."""

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: Path | None = None
    identity: Identity | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGTERM
    pid_file: Path | None = None


class ChildProcess:
    """One child process. Start it from a thread that lives as long as it should: the child dies with that."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, None before the start."""
        return None if self._process is None else self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code (negative: the signal), None while it runs or before the start."""
        return None if self._process is None else self._process.poll()

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; output goes to the end of its log file."""
        if self.is_running:
            return
        spec = self.spec
        turn_log_over(spec.log)
        identity = spec.identity or Identity(uid=-1, gid=-1)
        launch = (int(spec.death_signal), os.getpid(), identity.uid, identity.gid)
        with spec.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LAUNCHER), *map(str, launch), *spec.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=spec.cwd,
                env=dict(spec.env),
                start_new_session=True,  # Ctrl-C at the terminal is for the supervisor alone
            )
        if spec.pid_file is not None:
            write_pid(spec.pid_file, self._process.pid)

    async def wait_ready(self, probe: Probe, within_s: float) -> None:
        """Return when the probe says yes. Raises PartFailedError when it ended or took too long."""
        deadline = time.monotonic() + within_s
        while not await probe():
            if not self.is_running:
                raise PartFailedError(
                    self.spec.name, f"ended with exit code {self.returncode}", self.log_tail()
                )
            if time.monotonic() > deadline:
                raise PartFailedError(
                    self.spec.name, f"was not ready within {within_s:.0f} s", self.log_tail()
                )
            await asyncio.sleep(POLL_S)

    async def wait(self, within_s: float) -> bool:
        """Tell whether it has ended within so many seconds."""
        deadline = time.monotonic() + within_s
        while self.is_running:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_S)
        return True

    async def stop(self, grace_s: float) -> None:
        """Ask it to end, wait so many seconds, then kill it."""
        self.send(self.spec.stop_signal)
        try:
            if await self.wait(grace_s):
                return
        finally:
            self.send(signal.SIGKILL)
        await self.wait(KILL_WAIT_S)

    async def kill(self) -> None:
        """Kill it at once and wait until it is gone."""
        self.send(signal.SIGKILL)
        await self.wait(KILL_WAIT_S)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self._process is not None:
            self._process.send_signal(number)  # does nothing after the end was seen

    def log_tail(self, size: int = TAIL_BYTES) -> str:
        """Return the end of its log."""
        return read_tail(self.spec.log, size)


def read_tail(path: Path, size: int) -> str:
    """Return about the last `size` bytes of a text file, empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return ""


def turn_log_over(path: Path) -> None:
    """Make the log's folder, and move a log that has grown large to `.1`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_name(path.name + ".1"))


def write_pid(path: Path, pid: int) -> None:
    """Note a process by its id and the time it started, which together are unique."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(f"{pid} {started_at(pid) or ''}")


def started_at(pid: int) -> str | None:
    """Return when a process started (clock ticks after boot), None when there is none or it has ended."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, started = after_name[0], after_name[19]
    return None if state == "Z" else started


async def end_leftover(pid_file: Path, within_s: float) -> None:
    """Wait until a process of an earlier, killed supervisor is gone; kill it when that takes too long."""
    noted = read_pid(pid_file)
    if noted is None:
        return
    pid, start = noted
    deadline = time.monotonic() + within_s
    while started_at(pid) == start:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            deadline += KILL_WAIT_S
        await asyncio.sleep(POLL_S)


def read_pid(path: Path) -> tuple[int, str] | None:
    """Return the noted process id and start time, None when nothing usable is noted."""
    try:
        pid, start = path.read_text().split()
        return int(pid), start
    except (FileNotFoundError, ValueError):
        return None


async def run_program(
    argv: tuple[str, ...],
    *,
    within_s: float,
    env: Mapping[str, str],
    stdin: str = "",
    identity: Identity | None = None,
) -> str:
    """Run a short program to its end and return what it wrote to stdout.

    Raises PartFailedError when it fails or takes longer than `within_s` seconds.
    """
    name = Path(argv[0]).name

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            env=dict(env),
            timeout=within_s,
            check=False,
            cwd="/",
            user=identity.uid if identity else None,
            group=identity.gid if identity else None,
            extra_groups=[] if identity else None,
        )

    try:
        done = await asyncio.to_thread(run)
    except subprocess.TimeoutExpired as error:
        raise PartFailedError(name, f"did not end within {within_s:.0f} s", "") from error
    if done.returncode != 0:
        output = f"{done.stdout}{done.stderr}"[-TAIL_BYTES:].strip()
        raise PartFailedError(name, f"failed with exit code {done.returncode}", output)
    return done.stdout
