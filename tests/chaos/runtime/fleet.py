"""The processes of a chaos run: workers that are started, killed and stopped, and their journals."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos.runtime import history

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).with_name("worker_process.py")
POLL_S = 0.05


async def wait_until(what: str, is_so: Callable[[], bool], limit_s: float) -> None:
    """Return when it is so. Raises AssertionError with `what` after the limit."""
    deadline = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline, f"after {limit_s:.0f} s still not: {what}"
        await asyncio.sleep(POLL_S)


class Fleet:
    """Worker processes by name. A name can be started again after its process ended."""

    def __init__(self, folder: Path, *, script: Path = SCRIPT, **options: object) -> None:
        self.deaths: dict[int, float] = {}
        self.unexpected_ends: dict[str, int] = {}
        self._stopped: set[int] = set()
        self._folder = folder
        self._script = script
        self._options = options
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def names(self) -> list[str]:
        """The names of the processes that run."""
        return [name for name, process in self._processes.items() if process.poll() is None]

    @property
    def facts(self) -> list[history.Fact]:
        """What all workers have written until now."""
        return history.read(self._folder.glob("*.jsonl"))

    @property
    def log(self) -> str:
        """What all workers have logged."""
        return "\n".join(path.read_text() for path in sorted(self._folder.glob("*.log")))

    def start(self, name: str) -> None:
        """Start a worker."""
        arguments = json.dumps({"name": name, **self._options})
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, str(self._script), arguments, str(self._folder)],
                env=dict(os.environ, PYTHONPATH=str(ROOT)),
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )

    def pid(self, name: str) -> int:
        """Return the process id of a worker."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """Kill a worker as a crash would."""
        process = self._processes[name]
        process.kill()
        process.wait(10)
        self.deaths[process.pid] = time.time()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a worker."""
        self._processes[name].send_signal(number)

    async def stop(self, name: str, limit_s: float) -> int:
        """Stop a worker in order; return its exit code."""
        process = self._processes[name]
        self._stopped.add(process.pid)
        process.terminate()
        await wait_until(f"{name} has ended after SIGTERM", lambda: process.poll() is not None, limit_s)
        return process.returncode

    async def tend(self) -> None:
        """Restart workers that could not start while the broker was away; note those that ended later."""
        while True:
            for name, process in list(self._processes.items()):
                if process.poll() is None or process.pid in self.deaths or process.pid in self._stopped:
                    continue
                if any(fact.pid == process.pid and fact.kind == "ready" for fact in self.facts):
                    self.unexpected_ends[f"{name}({process.pid})"] = process.returncode
                self.start(name)
            await asyncio.sleep(0.2)

    def exit_code(self, name: str) -> int | None:
        """Return how the worker ended, or None while it runs."""
        return self._processes[name].poll()

    def is_ready(self, name: str) -> bool:
        """Return whether the worker's newest word about itself is that it is a working member."""
        pid = self._processes[name].pid
        words = [fact.kind for fact in self.facts if fact.pid == pid and fact.kind in {"ready", "unready"}]
        return words[-1:] == ["ready"]

    def end(self) -> None:
        """Kill whatever still runs."""
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
            process.wait(10)
