"""The data folder: one supervisor at a time; ports and passwords that survive restarts."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import stat
import time
import uuid
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

from maestro.embedded.errors import EmbeddedError, FolderBusyError

STATE_FILE = "state.json"
LOCK_FILE = "lock"
MARKS = (STATE_FILE, LOCK_FILE)
SECRET_BYTES = 18
# Somebody who only asks who holds the folder has the lock for a moment.
LOCK_TRIES, LOCK_PAUSE_S = 4, 0.05


@dataclass(frozen=True, slots=True)
class FolderState:
    """What a data folder remembers between starts."""

    cluster_id: str
    ports: dict[str, int] = field(default_factory=dict[str, int])
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    postgres_home: str | None = None


def parse_state(text: str) -> FolderState:
    """Read a state file. Raises ValueError, KeyError or TypeError when it is not one."""
    raw = json.loads(text)
    return FolderState(
        cluster_id=str(raw["cluster_id"]),
        ports={str(name): int(port) for name, port in raw["ports"].items()},
        secrets={str(name): str(value) for name, value in raw["secrets"].items()},
        postgres_home=raw["postgres_home"],
    )


class DataFolder:
    """A folder that holds everything of one embedded stack."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self._lock: IO[str] | None = None

    @property
    def logs(self) -> Path:
        """Where each process has its log file."""
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        """Where the ids of the running children are noted."""
        return self.root / "pids"

    @property
    def state(self) -> FolderState:
        """What is remembered; a new cluster id when there is nothing yet.

        Raises EmbeddedError when the state file is damaged.
        """
        path = self.root / STATE_FILE
        try:
            return parse_state(path.read_text())
        except FileNotFoundError:
            return FolderState(cluster_id=_new_cluster_id())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"{path} cannot be read ({error}). Remove the folder {self.root} to start anew."
            raise EmbeddedError(message) from error

    def save(self, state: FolderState) -> None:
        """Write the state whole or not at all, readable by its owner alone."""
        path = self.root / STATE_FILE
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(state), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def secret(self, name: str, *, size: int = SECRET_BYTES) -> str:
        """Return the password of that name; made at random, of `size` bytes, the first time."""
        state = self.state
        if name not in state.secrets:
            state = replace(state, secrets={**state.secrets, name: secrets.token_urlsafe(size)})
            self.save(state)
        return state.secrets[name]

    def acquire(self) -> None:
        """Make the folder and take it for this process. Raises FolderBusyError when another one has it."""
        self.make()
        lock = (self.root / LOCK_FILE).open("a+")
        if not _locked(lock, tries=LOCK_TRIES):
            lock.close()
            raise FolderBusyError(str(self.root), self.noted_pid())
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def release(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    def holder(self) -> int | None:
        """Return the process id of the supervisor that has the folder, None when nobody has it."""
        path = self.root / LOCK_FILE
        if not path.exists():
            return None
        with path.open("a+") as lock:
            return None if _locked(lock, tries=1) else self.noted_pid()

    def noted_pid(self) -> int | None:
        """Return the process id written in the lock file."""
        text = (self.root / LOCK_FILE).read_text().strip()
        return int(text) if text.isdigit() else None

    def remove(self) -> None:
        """Delete the folder and what belongs to it elsewhere.

        Raises FolderBusyError while a supervisor has it, EmbeddedError when it is not a data folder.
        """
        if not self.root.exists():
            return
        if not any((self.root / mark).exists() for mark in MARKS):
            message = f"{self.root} does not look like a data folder of Maestro; it was left alone."
            raise EmbeddedError(message)
        self.acquire()
        home = self.state.postgres_home
        if home is not None:
            shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(self.root)
        self.release()

    def make(self) -> None:
        """Make the folder itself, closed to others, where it is missing."""
        if self.root.exists():
            return
        self.root.parent.mkdir(parents=True, exist_ok=True)
        # Root's PostgreSQL runs as another user, who must be able to pass through; what is inside is closed.
        self.root.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)


def is_reachable(folder: Path, *, root: Path = Path("/")) -> bool:
    """Tell whether a user who owns nothing may pass through every folder from `root` down to this one."""
    resolved = folder.resolve()
    way = [resolved, *resolved.parents]
    return all(part.stat().st_mode & stat.S_IXOTH for part in way if part.is_relative_to(root))


def _locked(lock: IO[str], tries: int) -> bool:
    for attempt in range(tries):
        if attempt:
            time.sleep(LOCK_PAUSE_S)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def _new_cluster_id() -> str:
    while (text := urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass  # Kafka's tool would take it for an option
    return text
