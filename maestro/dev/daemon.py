"""A dev in the background: started with its log in the data folder, awaited, asked to end."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from maestro.dev.environment import for_children
from maestro.dev.errors import DevError
from maestro.dev.question import PROGRAM
from maestro.dev.run import Plan
from maestro.dev.state import DevState, Phase, holder, running
from maestro.embedded.folder import DataFolder
from maestro.embedded.process import turn_log_over

START_LIMIT_S: Final = 600.0
"""A first start may have to fetch Kafka's jars over a slow line."""

STOP_LIMIT_S: Final = 90.0
POLL_S: Final = 0.1


def log_of(root: Path) -> Path:
    """Return where a dev in the background writes."""
    return DataFolder(root).logs / "dev.log"


def refuse_second(root: Path) -> None:
    """Raise DevError when a dev has the folder already."""
    pid = holder(root)
    if pid is not None:
        message = (
            f"maestro dev runs already on {root} (process {pid})."
            " `maestro dev --status` shows it, `maestro dev --stop` ends it, --data-dir names another folder."
        )
        raise DevError(message)


def start_detached(plan: Plan, console: Console) -> DevState:
    """Start a dev in the background, show what it says until it is up, and return its state.

    Raises DevError when one runs already, or when this one ends or does not get ready.
    """
    refuse_second(plan.root)
    DataFolder(plan.root).make()
    log = log_of(plan.root)
    turn_log_over(log)
    with log.open("ab") as output:
        began_at = output.tell()
        child = subprocess.Popen(  # noqa: S603  our own program, without a shell
            [*PROGRAM, "dev", "--quiet", "--data-dir", str(plan.root), "--workers", str(plan.workers)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=for_children(),
            start_new_session=True,  # it outlives this terminal
        )
    try:
        return _until_up(plan.root, child, _Follower(log, began_at, console))
    except BaseException:
        child.terminate()
        raise


def wait_until_ready(root: Path, limit_s: float = START_LIMIT_S) -> DevState:
    """Return the state of the running dev when it is up. Raises DevError when it is not in time."""
    deadline = time.monotonic() + limit_s
    while True:
        state = running(root)
        if state is None:
            message = f"maestro dev on {root} has ended."
            raise DevError(message)
        if state.phase is Phase.READY:
            return state
        if time.monotonic() > deadline:
            message = f"maestro dev on {root} (process {state.pid}) was not ready within {limit_s:.0f} s."
            raise DevError(message)
        time.sleep(POLL_S)


def stop(root: Path) -> int | None:
    """End the dev that has the folder; return its process id, None when there was none.

    Raises DevError when it does not end, or is another user's.
    """
    pid = holder(root)
    if pid is None:
        return None
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return pid
    except PermissionError as error:
        message = f"maestro dev (process {pid}) belongs to another user, who has to stop it."
        raise DevError(message) from error
    deadline = time.monotonic() + STOP_LIMIT_S
    while holder(root) == pid:
        if time.monotonic() > deadline:
            message = (
                f"maestro dev (process {pid}) has not ended within {STOP_LIMIT_S:.0f} s: see {log_of(root)}"
            )
            raise DevError(message)
        time.sleep(POLL_S)
    return pid


class _Follower:
    """Prints what is added to a log."""

    def __init__(self, log: Path, offset: int, console: Console) -> None:
        self._log, self._offset, self._console = log, offset, console

    def print_new(self) -> None:
        with self._log.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            self._console.print(line, markup=False, highlight=False)


def _until_up(root: Path, child: subprocess.Popen[bytes], follower: _Follower) -> DevState:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        code = child.poll()
        state = running(root) if code is None else None
        follower.print_new()
        if state is not None and state.pid == child.pid and state.phase is Phase.READY:
            return state
        if code is not None:
            message = f"maestro dev ended with exit code {code} before it was up; its log is {log_of(root)}"
            raise DevError(message)
    message = f"maestro dev was not up within {START_LIMIT_S:.0f} s; its log is {log_of(root)}"
    raise DevError(message)
