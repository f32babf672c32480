"""The installed command as a person runs it: a real subprocess, its output and its exit code."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

MAESTRO = Path(sys.executable).with_name("maestro")
COMMAND_LIMIT_S = 90.0
START_LIMIT_S = 200.0
POLL_S = 0.25


class Maestro:
    """Runs `maestro` on one data folder, with no service named in the environment and no `.env` near."""

    def __init__(self, data_dir: Path, folder: Path) -> None:
        named = ("KAFKA_", "MAESTRO_", "DATABASE_URL", "REDIS_URL", "SCHEMA_REGISTRY_URL")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(named)}
        self.data_dir = data_dir
        self.folder = folder
        self.env = {**plain, "MAESTRO_DATA_DIR": str(data_dir), "NO_COLOR": "1", "COLUMNS": "160"}

    def run(
        self, *arguments: str, limit_s: float = COMMAND_LIMIT_S, env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, whatever comes of it."""
        return subprocess.run(
            [str(MAESTRO), *arguments],
            cwd=self.folder,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )

    def ok(self, *arguments: str, limit_s: float = COMMAND_LIMIT_S) -> str:
        """Run a command that must succeed; return its stdout."""
        done = self.run(*arguments, limit_s=limit_s)
        assert done.returncode == 0, (
            f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """Run a command that prints JSON lines."""
        return [json.loads(line) for line in self.ok(*arguments).splitlines()]

    def status(self) -> dict[str, Any]:
        """Return what `dev --status` knows, also of one that is not well."""
        return json.loads(self.run("dev", "--status", "--json").stdout)

    @property
    def has_dev(self) -> bool:
        """Whether a dev was started and not stopped (without asking the command, which takes a second)."""
        return (self.data_dir / "dev.json").exists()

    def part(self, name: str) -> dict[str, Any]:
        """Return one service or role of the running dev."""
        return next(part for part in self.status()["parts"] if part["name"] == name)


def until(what: str, is_so: Callable[[], bool], limit_s: float = COMMAND_LIMIT_S) -> None:
    """Wait for something; fail with `what` when it takes too long."""
    deadline = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {limit_s:.0f} s in vain: {what}")
        time.sleep(POLL_S)
