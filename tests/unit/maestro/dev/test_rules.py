"""The pure rules of dev: roles, restarts of services, what is said."""

import shlex
from pathlib import Path

from maestro.dev.breakage import MOST_FAILURES, Again, GiveUp, after_death
from maestro.dev.roles import role_specs
from maestro.dev.texts import exports, how_to_go_on
from maestro.embedded.restart import HEALTHY_AFTER_S, History


def test_every_role_gets_so_many_processes_with_names_of_their_own() -> None:
    specs = role_specs(2)
    names = [spec.name for spec in specs]
    roles = ("session", "generate", "execute", "sink-postgres", "sink-embeddings", "sink-recents", "api")
    assert sorted(names) == sorted(f"{role}-{n}" for role in roles for n in (1, 2))
    assert {spec.arguments for spec in specs if spec.name.startswith("sink")} == {
        ("sink", "postgres"),
        ("sink", "embeddings"),
        ("sink", "recents"),
    }


def test_a_dead_service_is_started_again_ever_later_and_then_given_up() -> None:
    history = History()
    delays: list[float] = []
    for _ in range(MOST_FAILURES - 1):
        verdict = after_death(history, ran_s=1.0)
        assert isinstance(verdict, Again)
        delays.append(verdict.delay_s)
        history = verdict.history
    assert delays == sorted(set(delays))
    assert isinstance(after_death(history, ran_s=1.0), GiveUp)


def test_a_service_that_was_healthy_for_long_has_a_clean_slate() -> None:
    tired = History(failures=MOST_FAILURES - 1, restarts=9)
    verdict = after_death(tired, ran_s=HEALTHY_AFTER_S)
    assert isinstance(verdict, Again)
    assert verdict.history == History(failures=1, restarts=10)


def test_a_shell_reads_back_what_is_exported() -> None:
    urls = {"A": "redis://:it's $HOME@host", "B": "plain"}
    lines = [shlex.split(line) for line in exports(urls).splitlines()]
    assert lines == [["export", f"{name}={url}"] for name, url in urls.items()]


def test_hints_name_the_folder_only_when_commands_cannot_find_it() -> None:
    for is_default, times in ((True, 0), (False, 1)):
        text = how_to_go_on(
            command="maestro",
            root=Path("/data"),
            is_default_root=is_default,
            stop="maestro dev --stop",
            api=("http://127.0.0.1:8000", "a.b.c"),
        )
        assert text.count("export MAESTRO_DATA_DIR=/data") == times
        assert "maestro dev --stop" in text
