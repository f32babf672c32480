"""Child processes of a benchmark: started together, waited for, stopped together."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 20.0


@asynccontextmanager
async def children(
    commands: Mapping[str, Sequence[str]],
    *,
    env: Mapping[str, str],
    logs: str,
    pids: dict[str, int],
    says: str | None,
) -> AsyncGenerator[None]:
    """Run commands while the context is open; each is ready when it prints a line that begins with `says`.

    Without `says` nobody waits: the first answer shows that all of them are there.
    """
    running: dict[str, asyncio.subprocess.Process] = {}
    try:
        for name, command in commands.items():
            with (Path(logs) / f"{name}.log").open("ab") as log:
                running[name] = await asyncio.create_subprocess_exec(
                    *command, env={**os.environ, **env}, stdout=asyncio.subprocess.PIPE, stderr=log
                )
        async with asyncio.timeout(_START_LIMIT_S):
            for name, process in running.items() if says else ():
                await _line(name, process, says or "")
        own = {name: process.pid for name, process in running.items()}
        pids.update(own)
        yield
        for name in own:
            del pids[name]
    finally:
        for process in running.values():
            if process.returncode is None:
                process.terminate()
        for process in running.values():
            try:
                async with asyncio.timeout(_STOP_LIMIT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()


async def _line(name: str, process: asyncio.subprocess.Process, says: str) -> None:
    if process.stdout is None:
        return
    while line := await process.stdout.readline():
        if line.decode().startswith(says):
            return
    message = f"{name} ended before it was ready; see its log"
    raise RuntimeError(message)
