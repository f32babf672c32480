"""What a running dev writes into its data folder for `--status`, `--env` and other commands."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from maestro.embedded.folder import DataFolder

STATE_FILE: Final = "dev.json"


class Phase(StrEnum):
    """How far dev is."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


class Kind(StrEnum):
    """What a part of dev is."""

    SERVICE = "service"
    ROLE = "role"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartState:
    """One service or role as it is now. External services have neither process nor log."""

    name: str
    kind: Kind
    state: str
    pid: int | None = None
    port: int | None = None
    restarts: int = 0
    log: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DevState:
    """A running dev. `urls` are environment variables with their values; they carry passwords."""

    pid: int
    phase: Phase
    urls: Mapping[str, str] = field(default_factory=dict[str, str])
    parts: tuple[PartState, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether it is up and every part works."""
        return self.phase is Phase.READY and all(part.state in {"ready", "external"} for part in self.parts)


def to_json(state: DevState) -> str:
    """Return the state as text."""
    return json.dumps(asdict(state), indent=2)


def from_json(text: str) -> DevState:
    """Read a state. Raises ValueError, KeyError or TypeError when it is not one."""
    raw: dict[str, Any] = json.loads(text)
    return DevState(
        pid=int(raw["pid"]),
        phase=Phase(raw["phase"]),
        urls={str(name): str(url) for name, url in raw["urls"].items()},
        parts=tuple(_part(part) for part in raw["parts"]),
    )


def _part(raw: dict[str, Any]) -> PartState:
    return PartState(**{**raw, "kind": Kind(raw["kind"])})  # pyright: ignore[reportArgumentType]


def write(root: Path, state: DevState) -> None:
    """Write the state whole or not at all, readable by its owner alone."""
    path = root / STATE_FILE
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(to_json(state))
    fresh.replace(path)


def forget(root: Path) -> None:
    """Remove the state of a dev that has ended."""
    (root / STATE_FILE).unlink(missing_ok=True)


def holder(root: Path) -> int | None:
    """Return the process id of the dev that has the folder; None when nobody has it, or another user."""
    try:
        return DataFolder(root).holder()
    except OSError:
        return None


def running(root: Path) -> DevState | None:
    """Return the state of the dev that has the folder now; None when there is none.

    One that has only just begun is `starting`, without URLs.
    """
    pid = holder(root)
    if pid is None:
        return None
    try:
        state = from_json((root / STATE_FILE).read_text())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return DevState(pid=pid, phase=Phase.STARTING)
    return state if state.pid == pid else DevState(pid=pid, phase=Phase.STARTING)


def running_urls(root: Path) -> dict[str, str] | None:
    """Return the URLs of the dev that runs on the folder, by name of the variable; None when none is up."""
    if not (root / STATE_FILE).exists():
        return None
    state = running(root)
    return dict(state.urls) if state is not None and state.phase is Phase.READY else None
