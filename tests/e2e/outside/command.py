"""The installed command on the services of a fleet, as its operator runs it."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fleet.fleet import Fleet

MAESTRO = Path(sys.executable).with_name("maestro")
LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Done:
    """What a command said, and its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def row(self) -> dict[str, Any]:
        """Its only JSON line."""
        [row] = self.rows
        return row


async def maestro(fleet: Fleet, *arguments: str, **settings: str) -> Done:
    """Run a command to its end, whatever comes of it; `settings` stand beside those of the fleet."""
    ours = ("MAESTRO_", "KAFKA_", "DATABASE_URL", "REDIS_URL", "SCHEMA_REGISTRY_")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    process = await asyncio.create_subprocess_exec(
        str(MAESTRO),
        *arguments,
        env={**plain, **fleet.env, **settings, "NO_COLOR": "1", "COLUMNS": "160"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LIMIT_S):
        stdout, stderr = await process.communicate()
    return Done(process.returncode or 0, stdout.decode(), stderr.decode())
