"""What the doctor says about what it finds."""

from pathlib import Path

import pytest

from maestro.dev import check_machine
from maestro.dev.check_machine import GIB, data_folder, disk, nearest, packages, python, system
from maestro.dev.check_record import orphans
from maestro.dev.check_running import check_model, check_settings, unwell
from maestro.dev.check_services import redis_version
from maestro.dev.finding import Verdict, is_well, noted, ok, wrong
from maestro.embedded.folder import DataFolder
from maestro.embedded.part import PartName


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ((3, 10), Verdict.WRONG),
        ((3, 11), Verdict.OK),
        ((3, 12), Verdict.OK),
        ((3, 13), Verdict.WRONG),
    ],
)
def test_two_versions_of_python_will_do(version: tuple[int, int], verdict: Verdict) -> None:
    assert python(version, "text").verdict is verdict


def test_other_platforms_are_named_with_what_to_do() -> None:
    assert system("Linux", "x86_64").verdict is Verdict.OK
    found = system("Darwin", "arm64")
    assert (found.verdict, bool(found.mend)) == (Verdict.WRONG, True)


@pytest.mark.parametrize(("gib", "verdict"), [(0.5, Verdict.WRONG), (2, Verdict.NOTE), (50, Verdict.OK)])
def test_little_room_is_said_before_there_is_none(gib: float, verdict: Verdict) -> None:
    assert disk(int(gib * GIB), Path("/data")).verdict is verdict


def test_packages_of_embedded_services_are_there_after_the_set_up() -> None:
    assert packages(()).verdict is Verdict.OK


def test_a_missing_package_is_named_unless_its_service_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_machine, "PACKAGES", {PartName.REDIS: ("no_such_package",)})
    assert "no_such_package" in packages(()).found
    assert packages((PartName.REDIS,)).verdict is Verdict.OK


def test_a_damaged_data_folder_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    (found,) = data_folder(DataFolder(tmp_path))
    assert (found.verdict, "--reset" in found.mend) == (Verdict.WRONG, True)


def test_a_data_folder_may_be_made_later(tmp_path: Path) -> None:
    assert nearest(tmp_path / "a" / "b") == tmp_path
    assert is_well(data_folder(DataFolder(tmp_path / "a" / "b")))


@pytest.mark.parametrize(
    ("info", "verdict"),
    [
        ("# Server\r\nredis_version:6.2.14\r\n", Verdict.OK),
        ("redis_version:7.4.0\r\n", Verdict.OK),
        ("redis_version:5.0.7\r\n", Verdict.WRONG),
        ("nothing", Verdict.NOTE),
    ],
)
def test_redis_is_judged_by_its_version(info: str, verdict: Verdict) -> None:
    assert redis_version("here", info).verdict is verdict


def test_every_problem_of_the_settings_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_HEALTH_PORT", "many")
    monkeypatch.setenv("MAESTRO_HELTH_PORT", "1")
    found = check_settings()
    assert len(found) == 2
    assert not is_well(found)


def test_the_rehearsal_model_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_MODEL_DEFAULT", "rehearsal")
    assert check_model().verdict is Verdict.NOTE


def test_a_real_model_with_an_address_of_its_own_needs_no_provider_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAESTRO_MODEL_DEFAULT", "openai/some-model")
    monkeypatch.setenv("MAESTRO_MODEL_BASE_URL", "http://127.0.0.1:1")
    assert check_model().verdict is Verdict.OK


def test_notes_are_no_reason_to_fail() -> None:
    assert is_well([ok("a", ""), noted("b", "")])
    assert not is_well([ok("a", ""), wrong("b", "", "mend it")])


def test_only_unwell_parts_are_listed() -> None:
    bad = wrong("session-1", "is failed", "see its log")
    assert unwell([ok("kafka", "ready"), bad]) == (bad,)
    (fine,) = unwell([ok("kafka", "ready"), ok("redis", "ready")])
    assert fine.verdict is Verdict.OK


def test_rows_without_a_parent_are_a_note_that_says_when_to_worry() -> None:
    found = orphans({"run without session": 2})
    assert found.verdict is Verdict.NOTE
    assert "2 run without session" in found.found
    assert "maestro lag" in found.mend
    assert orphans({}).verdict is Verdict.OK
