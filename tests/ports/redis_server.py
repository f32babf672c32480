"""A Redis of the tests' own, which may be flushed, killed and put back to an older state."""

import shutil
from pathlib import Path

from maestro.embedded.ports import HeldPorts
from maestro.embedded.process import ChildProcess
from maestro.embedded.redis_server import Redis
from stores.redis.connection import RedisConnection
from stores.redis.settings import RedisSettings

PARTITIONS = 4


class RedisServer:
    """One server with its data in `folder`. Its port is held until it is stopped."""

    def __init__(self, folder: Path) -> None:
        self._ports = HeldPorts()
        self.part = Redis(
            folder=folder / "data",
            port=self._ports.pick(),
            password="known-to-tests",
            log=folder / "redis.log",
            pid_file=folder / "redis.pid",
        )
        self._dump = folder / "dump"
        self._process = ChildProcess(self.part.spec)

    async def start(self) -> None:
        """Start it with the data it has."""
        await self.part.prepare(lambda _: None)
        self._process = ChildProcess(self.part.spec)
        self._process.start()
        await self._process.wait_ready(self.part.is_ready, self.part.ready_within_s)

    async def kill(self) -> None:
        """Kill it as a crash would."""
        await self._process.kill()

    async def stop(self) -> None:
        """Stop it orderly, for good."""
        await self._process.stop(self.part.stop_grace_s)
        self._ports.release()

    def dump(self) -> None:
        """Remember the data as they are now, as a replica that lags would have them."""
        shutil.rmtree(self._dump, ignore_errors=True)
        shutil.copytree(self.part.folder, self._dump)

    async def fail_over(self) -> None:
        """Go on with the remembered data under another run id."""
        await self.kill()
        shutil.rmtree(self.part.folder)
        shutil.copytree(self._dump, self.part.folder)
        await self.start()

    def settings(self, prefix: str, *, connections: int = 2, command_timeout_s: float = 5.0) -> RedisSettings:
        """Settings of a client whose keys begin with `prefix`."""
        return RedisSettings.model_validate(
            {
                "redis_url": self.part.url,
                "prefix": prefix,
                "connections": connections,
                "command_timeout_s": command_timeout_s,
                "start_timeout_s": 2.0,
            }
        )

    async def connect(self, prefix: str, *, connections: int = 2) -> RedisConnection:
        """Return a started client; the caller stops it."""
        connection = RedisConnection(self.settings(prefix, connections=connections))
        await connection.start(PARTITIONS)
        return connection
