"""`maestro dev` itself: what it shows, what it refuses, what it brings back, what it keeps."""

import json
import os
import re
import signal
from typing import Any

import httpx
import pytest

from tests.e2e.dev.installed import START_LIMIT_S, Maestro, until

pytestmark = pytest.mark.timeout(600)

ROLES = (
    "session-1",
    "generate-1",
    "execute-1",
    "sink-postgres-1",
    "sink-embeddings-1",
    "sink-recents-1",
    "api-1",
)
SERVICES = ("kafka", "postgres", "redis")
VARIABLES = {
    "KAFKA_BOOTSTRAP_SERVERS",
    "DATABASE_URL",
    "REDIS_URL",
    "MAESTRO_SQL_URL",
    "MAESTRO_API_DEV",
    "MAESTRO_API_PORT",
    "MAESTRO_API_JWT_SECRET",
}


def exported(dev: Maestro) -> dict[str, str]:
    """Return the variables that `dev --env` prints."""
    lines = dev.ok("dev", "--env").splitlines()
    matches = [re.fullmatch(r"export (\w+)='?([^']*)'?", line) for line in lines]
    return {match[1]: match[2] for match in matches if match}


def comes_back(dev: Maestro, before: dict[str, Any]) -> None:
    """Wait until a killed part runs again as another process."""

    def is_back() -> bool:
        now = dev.part(before["name"])
        is_other = now["pid"] not in {None, before["pid"]} and now["restarts"] == before["restarts"] + 1
        return is_other and now["state"] == "ready"

    until(f"{before['name']} is started again", is_back, START_LIMIT_S)


def test_status_shows_every_service_and_role(dev: Maestro) -> None:
    status = dev.status()
    assert (status["running"], status["phase"]) == (True, "ready")
    assert {part["name"] for part in status["parts"]} == {*SERVICES, *ROLES}
    for part in status["parts"]:
        assert part["state"] == "ready"
        assert part["pid"] > 0
        assert part["port"] > 0
        assert os.path.getsize(part["log"]) >= 0  # noqa: PTH202


def test_every_role_shows_its_metrics_on_the_port_of_the_status(dev: Maestro) -> None:
    for part in dev.status()["parts"]:
        if part["name"] in ROLES:
            answer = httpx.get(f"http://127.0.0.1:{part['port']}/metrics", timeout=10)
            assert "maestro_ready 1.0" in answer.text.splitlines(), part["name"]


def test_the_urls_are_printed_for_a_shell(dev: Maestro) -> None:
    assert exported(dev).keys() == VARIABLES


def test_the_urls_in_the_environment_are_as_good_as_finding_the_dev(dev: Maestro) -> None:
    env = {**exported(dev), "MAESTRO_DATA_DIR": str(dev.folder / "elsewhere")}
    done = dev.run("agents", "list", "--json", env=env)
    assert done.returncode == 0, done.stderr
    assert "assistant" in done.stdout


def test_settings_say_that_they_come_from_the_dev(dev: Maestro) -> None:
    sources = {row["name"]: row["source"] for row in dev.rows("config", "--json")}
    assert {sources[name] for name in VARIABLES} == {"dev"}
    assert sources["MAESTRO_DATA_DIR"] == "environment"


def test_a_second_dev_on_the_folder_is_refused_with_the_process_of_the_first(dev: Maestro) -> None:
    for arguments in ((), ("--detach",)):
        done = dev.run("dev", *arguments)
        assert done.returncode == 1
        assert f"process {dev.status()['pid']}" in done.stderr


def test_a_running_folder_is_not_deleted(dev: Maestro) -> None:
    done = dev.run("dev", "--reset", "--yes")
    assert done.returncode == 1
    assert dev.data_dir.exists()


def test_what_is_not_running_has_no_urls(dev: Maestro) -> None:
    elsewhere = str(dev.folder / "elsewhere")
    assert dev.run("dev", "--env", "--data-dir", elsewhere).returncode == 1
    assert (
        json.loads(dev.run("dev", "--status", "--json", "--data-dir", elsewhere).stdout)["running"] is False
    )
    assert dev.run("dev", "--stop", "--data-dir", elsewhere).returncode == 0


def test_passwords_are_readable_by_their_owner_alone(dev: Maestro) -> None:
    for name in ("dev.json", "state.json"):
        assert (dev.data_dir / name).stat().st_mode & 0o077 == 0


def test_the_doctor_finds_nothing_wrong(dev: Maestro) -> None:
    findings = dev.rows("doctor", "--json")
    assert [finding for finding in findings if finding["verdict"] == "wrong"] == []
    assert {"python", "kafka", "postgres", "redis", "roles", "sql_query"} <= {f["name"] for f in findings}


# Killed together: each start of a part costs seconds, and what survives two deaths survives one.
@pytest.mark.parametrize("names", [("session-1", "sink-postgres-1"), ("redis", "kafka")], ids="-".join)
def test_killed_parts_come_back_and_answer(dev: Maestro, names: tuple[str, str]) -> None:
    before = [dev.part(name) for name in names]
    for part in before:
        os.kill(part["pid"], signal.SIGKILL)
    for part in before:
        comes_back(dev, part)
    assert dev.ok("ask", "Hello!")


def test_a_session_goes_on_after_a_stop_and_a_start(dev: Maestro) -> None:
    before = json.loads(dev.ok("ask", "--json", "Hello!"))
    _ = dev.ok("dev", "--stop")
    assert dev.status()["running"] is False
    assert dev.run("ask", "Hello!", "--timeout", "5").returncode != 0

    started = dev.run("dev", "--detach", limit_s=START_LIMIT_S)
    assert started.returncode == 0, started.stderr
    assert "A first question" not in started.stderr
    after = json.loads(dev.ok("ask", "--json", "--session", before["session_id"], "Hello again!"))
    assert after["status"] == "completed"
    rows = dev.rows("tail", "runs", "--until-end", "--session", before["session_id"])
    assert {row["value"]["id"] for row in rows} == {before["id"], after["id"]}


# Last in this folder: it leaves nothing running beside the tests of other folders.
def test_a_dev_for_one_question_starts_answers_and_stops(dev: Maestro) -> None:
    _ = dev.ok("dev", "--stop")
    one_shot = dev.run("dev", "--ask", "Which product sold best last month?", limit_s=START_LIMIT_S)
    assert one_shot.returncode == 0, one_shot.stderr
    assert "sold best last month" in one_shot.stdout
    assert dev.status()["running"] is False
    assert not dev.has_dev
