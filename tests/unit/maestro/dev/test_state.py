"""The state of a running dev, as other commands read it."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maestro.dev.state import (
    DevState,
    Kind,
    PartState,
    Phase,
    forget,
    from_json,
    holder,
    running,
    running_urls,
    to_json,
    write,
)
from maestro.embedded.folder import DataFolder

URLS = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "REDIS_URL": "redis://:secret@127.0.0.1:2/0"}
ROLE = PartState(name="session-1", kind=Kind.ROLE, state="ready", pid=7, port=8, restarts=1, log="/l")
STATE = DevState(pid=os.getpid(), phase=Phase.READY, urls=URLS, parts=(ROLE,))


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A data folder that this process holds, as a running dev does."""
    folder = DataFolder(tmp_path / "data")
    folder.acquire()
    yield folder.root
    folder.release()


def test_a_state_is_read_as_it_was_written() -> None:
    assert from_json(to_json(STATE)) == STATE


def test_it_is_readable_by_its_owner_alone(held: Path) -> None:
    write(held, STATE)
    assert (held / "dev.json").stat().st_mode & 0o777 == 0o600


def test_the_urls_of_a_dev_that_is_up_are_found(held: Path) -> None:
    write(held, STATE)
    assert running(held) == STATE
    assert running_urls(held) == URLS


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.STOPPING])
def test_a_dev_that_is_not_up_has_no_urls(held: Path, phase: Phase) -> None:
    write(held, replace(STATE, phase=phase))
    assert running_urls(held) is None


def test_what_a_killed_dev_left_is_not_believed(held: Path) -> None:
    write(held, replace(STATE, pid=1))
    assert running(held) == DevState(pid=os.getpid(), phase=Phase.STARTING)
    assert running_urls(held) is None


def test_a_damaged_state_counts_as_a_dev_that_starts(held: Path) -> None:
    (held / "dev.json").write_text('{"pid": 1')
    assert running(held) == DevState(pid=os.getpid(), phase=Phase.STARTING)


def test_nothing_runs_on_a_folder_that_nobody_holds(tmp_path: Path) -> None:
    write(tmp_path, STATE)
    assert holder(tmp_path) is None
    assert running(tmp_path) is None
    assert running_urls(tmp_path) is None
    assert running_urls(tmp_path / "missing") is None


def test_an_ended_dev_is_forgotten(held: Path) -> None:
    write(held, STATE)
    forget(held)
    forget(held)
    assert running_urls(held) is None


@pytest.mark.parametrize(
    ("state", "is_well"),
    [
        (STATE, True),
        (replace(STATE, phase=Phase.STARTING), False),
        (replace(STATE, parts=(ROLE, replace(ROLE, state="not ready"))), False),
        (replace(STATE, parts=(ROLE, replace(ROLE, state="external"))), True),
    ],
)
def test_a_dev_is_well_when_every_part_is(state: DevState, *, is_well: bool) -> None:
    assert state.is_well is is_well
