"""The data folder: kept ports and passwords, one holder, and what another user can reach."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maestro.embedded.errors import EmbeddedError, FolderBusyError
from maestro.embedded.folder import STATE_FILE, DataFolder, is_reachable


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    """A data folder that this test holds."""
    made = DataFolder(tmp_path / "data")
    made.acquire()
    yield made
    made.release()


def test_a_password_is_made_once_and_kept(folder: DataFolder) -> None:
    first = folder.secret("redis")
    assert len(first) >= 20
    assert DataFolder(folder.root).secret("redis") == first
    assert folder.secret("postgres") != first


def test_passwords_and_ports_do_not_overwrite_each_other(folder: DataFolder) -> None:
    secret = folder.secret("redis")
    folder.save(replace(folder.state, ports={"redis": 21_000}))
    folder.secret("postgres")
    assert folder.state.ports == {"redis": 21_000}
    assert folder.secret("redis") == secret


def test_the_state_is_readable_by_its_owner_alone(folder: DataFolder) -> None:
    folder.secret("redis")
    assert (folder.root / STATE_FILE).stat().st_mode & 0o077 == 0


def test_the_folder_has_one_holder_at_a_time(folder: DataFolder) -> None:
    with pytest.raises(FolderBusyError, match="is in use by process"):
        DataFolder(folder.root).acquire()
    assert DataFolder(folder.root).holder() is not None
    folder.release()
    assert DataFolder(folder.root).holder() is None
    other = DataFolder(folder.root)
    other.acquire()
    with pytest.raises(FolderBusyError):
        folder.acquire()
    other.release()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cluster_id": 1, "ports": {"a": "x"}}', "\0"])
def test_a_damaged_state_says_what_to_do(folder: DataFolder, text: str) -> None:
    (folder.root / STATE_FILE).write_text(text)
    with pytest.raises(EmbeddedError, match="to start anew"):
        _ = folder.state


def test_removing_takes_the_database_that_lives_elsewhere_too(folder: DataFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.save(replace(folder.state, postgres_home=str(elsewhere)))
    folder.release()
    DataFolder(folder.root).remove()
    assert not folder.root.exists()
    assert not elsewhere.exists()


def test_a_held_folder_is_not_removed(folder: DataFolder) -> None:
    with pytest.raises(FolderBusyError):
        DataFolder(folder.root).remove()
    assert folder.root.exists()


def test_one_closed_folder_on_the_way_makes_a_place_unreachable(tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True, mode=0o755)
    (tmp_path / "outer").chmod(0o755)
    inner.chmod(0o711)
    assert is_reachable(inner, root=tmp_path / "outer")
    (tmp_path / "outer").chmod(0o700)
    assert not is_reachable(inner, root=tmp_path / "outer")


def test_cluster_ids_never_look_like_an_option(tmp_path: Path) -> None:
    ids = {DataFolder(tmp_path / "none").state.cluster_id for _ in range(500)}
    assert len(ids) == 500
    assert not [text for text in ids if text.startswith("-") or len(text) != 22]


def test_the_state_file_is_plain_json(folder: DataFolder) -> None:
    folder.secret("redis")
    assert set(json.loads((folder.root / STATE_FILE).read_text())) == {
        "cluster_id",
        "ports",
        "secrets",
        "postgres_home",
    }
