"""PostgreSQL with pgvector as a child process: loopback, scram passwords, never as root."""

import os
import pwd
import shutil
import signal
import struct
from dataclasses import dataclass
from pathlib import Path

from maestro.embedded.part import PLAIN_ENV, PartName, Say, ask
from maestro.embedded.ports import LOOPBACK
from maestro.embedded.process import Identity, ProcessSpec, read_tail, run_program

SUPERUSER = "postgres"
OWNER = "maestro"
DATABASE = "maestro"
INIT_WITHIN_S = 60.0
SSL_REQUEST = struct.pack(">ii", 8, 80_877_103)
UNPRIVILEGED_USER = "nobody"
INITIALIZED = "maestro-initialized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """One PostgreSQL server with its data in `home`/data."""

    home: Path
    programs: Path
    port: int
    superuser_password: str
    owner_password: str
    log: Path
    pid_file: Path
    identity: Identity | None = None
    name: PartName = PartName.POSTGRES
    ready_within_s: float = 60.0
    stop_grace_s: float = 20.0

    @property
    def data(self) -> Path:
        """The server's data folder."""
        return self.home / "data"

    @property
    def spec(self) -> ProcessSpec:
        """What to start. SIGINT is PostgreSQL's fast shutdown: it does not wait for its clients."""
        return ProcessSpec(
            name=self.name,
            argv=(str(self.programs / "postgres"), "-D", str(self.data)),
            log=self.log,
            env=PLAIN_ENV,
            cwd=Path("/"),
            identity=self.identity,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            pid_file=self.pid_file,
        )

    def url(self, database: str = DATABASE) -> str:
        """URL for the role that owns the record."""
        return f"postgresql://{OWNER}:{self.owner_password}@{LOOPBACK}:{self.port}/{database}"

    def admin_url(self, database: str = DATABASE) -> str:
        """URL for the superuser."""
        return f"postgresql://{SUPERUSER}:{self.superuser_password}@{LOOPBACK}:{self.port}/{database}"

    async def prepare(self, say: Say) -> None:
        """Make the cluster, its owner role and its database the first time; write the configuration."""
        if not (self.home / INITIALIZED).exists():
            say("making a new database")
            await self._initialize()
            (self.home / INITIALIZED).touch()
        (self.data / "postgresql.auto.conf").write_text(server_configuration(self.port))
        forget_dead_postmaster(self.data)

    async def is_ready(self) -> bool:
        """Tell whether the server takes connections and is past its recovery."""
        if await ask(self.port, SSL_REQUEST, 1) != b"N":
            return False
        return read_tail(self.data / "postmaster.pid", 64).endswith("ready")

    async def run_sql(self, database: str, sql: str) -> str:
        """Run statements as the superuser and return their rows, unaligned, one a line.

        Raises PartFailedError with the server's message.
        """
        return await run_program(
            (
                str(self.programs / "psql"),
                *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
                *("--set", "ON_ERROR_STOP=1", "--host", LOOPBACK, "--port", str(self.port)),
                *("--username", SUPERUSER, "--dbname", database, "--file", "-"),
            ),
            within_s=INIT_WITHIN_S,
            env={**PLAIN_ENV, "PGPASSWORD": self.superuser_password, "PGCLIENTENCODING": "UTF8"},
            stdin=sql,
            identity=self.identity,
        )

    async def _initialize(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)  # the rest of a first start that was interrupted
        password_file = self.home / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(f"{self.superuser_password}\n")
        give_to(self.identity, password_file)
        try:
            await self._run(
                "initdb",
                *("--pgdata", str(self.data), "--username", SUPERUSER, "--auth", "scram-sha-256"),
                *("--pwfile", str(password_file), "--encoding", "UTF8", "--locale", "C"),
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-instructions"),
            )
        finally:
            password_file.unlink()
        await self._single("template1", "CREATE EXTENSION vector;")
        role = f"CREATE ROLE {OWNER} LOGIN CREATEDB PASSWORD '{self.owner_password}';"
        await self._single("postgres", role, f"CREATE DATABASE {DATABASE} OWNER {OWNER};")

    async def _single(self, database: str, *statements: str) -> None:
        """Run statements, one a line, without a server that anybody could reach."""
        await self._run(
            "postgres",
            *("--single", "-j", "-D", str(self.data), "-c", "exit_on_error=true", database),
            stdin="\n\n".join(statements) + "\n",
        )

    async def _run(self, program: str, *arguments: str, stdin: str = "") -> None:
        await run_program(
            (str(self.programs / program), *arguments),
            within_s=INIT_WITHIN_S,
            env=PLAIN_ENV,
            stdin=stdin,
            identity=self.identity,
        )


def server_configuration(port: int) -> str:
    """Return what differs from the server's defaults."""
    values: dict[str, str | int] = {
        "listen_addresses": LOOPBACK,
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
        "shared_buffers": "128MB",
        "max_wal_size": "512MB",
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "jit": "off",  # the statements are short; compiling them costs more than it saves
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_messages": "warning",
        "password_encryption": "scram-sha-256",
    }
    return "".join(f"{name} = '{value}'\n" for name, value in values.items())


def unprivileged() -> Identity | None:
    """Return the user to run as when we are root, which PostgreSQL refuses; None otherwise."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED_USER)
    return Identity(uid=entry.pw_uid, gid=entry.pw_gid)


def give_to(identity: Identity | None, path: Path) -> None:
    """Make the user we drop to the owner of a path; nothing when we do not drop."""
    if identity is not None:
        os.chown(path, identity.uid, identity.gid)


def forget_dead_postmaster(data: Path) -> None:
    """Remove the lock file of a server that was killed.

    The server does that itself unless another program has got its process id since.
    """
    lock = data / "postmaster.pid"
    lines = read_tail(lock, 4_000).splitlines()
    if lines and lines[0].isdigit():
        running = read_tail(Path(f"/proc/{lines[0]}/comm"), 64)
        if running != "postgres":
            lock.unlink(missing_ok=True)
