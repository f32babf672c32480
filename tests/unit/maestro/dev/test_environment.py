"""Where commands find their services: the environment first, a running dev otherwise."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from maestro.dev.environment import adopt_running, data_dir, external_services
from maestro.dev.state import DevState, Phase, write
from maestro.embedded.folder import DataFolder
from maestro.embedded.part import PartName

URLS = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "DATABASE_URL": "postgresql://127.0.0.1:2/maestro",
    "REDIS_URL": "redis://127.0.0.1:3/0",
    "MAESTRO_SQL_URL": "postgresql://127.0.0.1:2/shop",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment that names no service; what is adopted is gone afterwards."""
    for name in URLS:
        monkeypatch.setenv(name, "")  # remembered, so that it is restored afterwards
        monkeypatch.delenv(name)
    yield monkeypatch
    for name in URLS:
        os.environ.pop(name, None)


@pytest.fixture
def dev(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Path]:
    """A dev that is up on the folder of the environment."""
    folder = DataFolder(tmp_path / "data")
    folder.acquire()
    write(folder.root, DevState(pid=os.getpid(), phase=Phase.READY, urls=URLS))
    environment.setenv("MAESTRO_DATA_DIR", str(folder.root))
    yield folder.root
    folder.release()


@pytest.mark.usefixtures("dev")
def test_a_running_dev_is_used_when_no_service_is_named() -> None:
    assert set(adopt_running()) == set(URLS)
    assert {name: os.environ[name] for name in URLS} == URLS


@pytest.mark.usefixtures("dev")
@pytest.mark.parametrize("name", ["KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "REDIS_URL"])
def test_it_is_not_used_when_one_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "elsewhere")
    assert adopt_running() == ()
    assert {other for other in URLS if other in os.environ} == {name}


@pytest.mark.usefixtures("dev")
def test_a_value_that_is_set_stays(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MAESTRO_SQL_URL", "mine")
    assert "MAESTRO_SQL_URL" not in adopt_running()
    assert os.environ["MAESTRO_SQL_URL"] == "mine"


def test_nothing_is_taken_where_no_dev_runs(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("MAESTRO_DATA_DIR", str(tmp_path))
    assert adopt_running() == ()


def test_a_named_service_is_external(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REDIS_URL", "redis://elsewhere")
    environment.setenv("DATABASE_URL", "")
    assert external_services() == {PartName.REDIS: "redis://elsewhere"}


def test_the_chosen_folder_wins_over_the_environment(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("MAESTRO_DATA_DIR", str(tmp_path / "set"))
    assert data_dir() == tmp_path / "set"
    assert data_dir(tmp_path / "chosen") == tmp_path / "chosen"
