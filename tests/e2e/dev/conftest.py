"""One dev in the background for all end-to-end tests, started and stopped through the installed command."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.dev.installed import START_LIMIT_S, Maestro


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What the very first start of a data folder said."""

    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def maestro() -> Iterator[Maestro]:
    """The command on a data folder of its own; whatever runs there is stopped and removed afterwards."""
    root = Path(tempfile.mkdtemp(prefix="maestro-e2e-"))
    root.chmod(0o711)  # PostgreSQL's user passes through when the tests run as root
    folder = root / "folder"
    folder.mkdir()
    command = Maestro(root / "data", folder)
    # A person's folder, with an agent and tools of their own, and a module that has the name of one of ours.
    _ = command.ok("init")
    (folder / "schemas.py").write_text("raise RuntimeError('this is not the one')\n")
    yield command
    stopped = command.run("dev", "--stop")
    reset = command.run("dev", "--reset", "--yes")
    shutil.rmtree(root, ignore_errors=True)
    assert (stopped.returncode, reset.returncode) == (0, 0), stopped.stderr + reset.stderr


@pytest.fixture(scope="session")
def first_start(maestro: Maestro) -> FirstStart:
    """The dev, up; and what its first start said."""
    done = maestro.run("dev", "--detach", limit_s=START_LIMIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return FirstStart(done.stdout, done.stderr)


@pytest.fixture
def dev(maestro: Maestro, first_start: FirstStart) -> Maestro:  # noqa: ARG001  there was a first start
    """The command with a dev up: the shared one, started again when the test before has stopped it."""
    if not maestro.has_dev:
        _ = maestro.ok("dev", "--detach", limit_s=START_LIMIT_S)
    return maestro
