"""Settings: every problem at once, names that nobody knows, secrets masked, where values come from."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bus.settings import KafkaSettings, SchemaSettings
from llm.settings import ModelSettings
from maestro.settings import (
    Setting,
    SettingsError,
    default_text,
    effective,
    env_name,
    load,
    masked,
    read_env_file,
)
from maestro.settings_catalogue import CATALOGUE
from maestro.settings_docs import documents, stale
from schemas.errors import ErrorCode
from stores.postgres.settings import PostgresSettings
from stores.redis.settings import RedisSettings
from streams.execute.settings import SqlSettings, ToolSettings
from streams.generate.settings import GenerateSettings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches these tests."""
    known = {env_name(model, field) for model in CATALOGUE.values() for field in model.model_fields}
    for name in list(os.environ):
        if name.startswith("MAESTRO_") or name in known:
            monkeypatch.delenv(name)


@pytest.fixture
def restored_environment() -> Iterator[None]:
    """What is put into the environment goes afterwards."""
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


def test_models_are_built_in_the_order_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_TOOL_POOL_SIZE", "3")
    tools, generate = load(ToolSettings, GenerateSettings)
    assert tools.pool_size == 3
    assert isinstance(generate, GenerateSettings)


def test_all_problems_are_told_at_once_under_the_names_that_people_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAESTRO_TOOL_POOL_SIZE", "many")
    monkeypatch.setenv("MAESTRO_TOOL_RESULT_LIMIT_BYTES", "5")
    monkeypatch.setenv("MAESTRO_GENERATE_DELTA_INTERVAL_S", "0")
    monkeypatch.setenv("MAESTRO_TOPIC_PARTITONS", "12")
    monkeypatch.setenv("MAESTRO_DATABASE_URL", "postgresql://host/db")
    with pytest.raises(SettingsError) as caught:
        _ = load(ToolSettings, GenerateSettings)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "MAESTRO_DATABASE_URL is not a setting; did you mean DATABASE_URL?",
        "MAESTRO_TOPIC_PARTITONS is not a setting; did you mean MAESTRO_TOPIC_PARTITIONS?",
        "MAESTRO_TOOL_POOL_SIZE",
        "MAESTRO_TOOL_RESULT_LIMIT_BYTES",
        "MAESTRO_GENERATE_DELTA_INTERVAL_S",
    ]
    assert all(problem in caught.value.message for problem in caught.value.problems)
    assert caught.value.code is ErrorCode.MISCONFIGURED


def test_a_name_that_resembles_nothing_is_told_where_the_names_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_XQJZW", "1")
    with pytest.raises(SettingsError, match="MAESTRO_XQJZW is not a setting; `maestro config` lists"):
        _ = load(ToolSettings)


def test_a_problem_of_several_settings_together_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    with pytest.raises(SettingsError) as caught:
        _ = load(KafkaSettings)
    (problem,) = caught.value.problems
    assert "KAFKA_SASL_USERNAME" in problem
    assert not problem.startswith(":")


def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_REDIS_PREFIX", "hunter2 {x}")
    with pytest.raises(SettingsError) as caught:
        _ = load(RedisSettings)
    assert "MAESTRO_REDIS_PREFIX: " in caught.value.message
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("model", "field", "name"),
    [
        (PostgresSettings, "database_url", "DATABASE_URL"),
        (RedisSettings, "redis_url", "REDIS_URL"),
        (KafkaSettings, "bootstrap_servers", "KAFKA_BOOTSTRAP_SERVERS"),
        (SchemaSettings, "url", "SCHEMA_REGISTRY_URL"),
        (ModelSettings, "default", "MAESTRO_MODEL_DEFAULT"),
        (SqlSettings, "url", "MAESTRO_SQL_URL"),
    ],
)
def test_a_field_is_read_from_the_name_that_is_told(
    monkeypatch: pytest.MonkeyPatch, model: type[RedisSettings], field: str, name: str
) -> None:
    assert env_name(model, field) == name
    monkeypatch.setenv(name, "redis://elsewhere")
    value = getattr(model(), field)
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    assert text == "redis://elsewhere"


def test_no_two_settings_share_a_name_and_each_has_a_sentence() -> None:
    names = [env_name(model, field) for model in CATALOGUE.values() for field in model.model_fields]
    assert len(set(names)) == len(names)
    for model in CATALOGUE.values():
        for field, info in model.model_fields.items():
            assert (info.description or "").endswith("."), env_name(model, field)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (1.5, "1.5"),
        (("a", "b"), "a,b"),
        ("http://host/path?x=1", "http://host/path?x=1"),
        (SecretStr(""), ""),
        (SecretStr("hunter2"), "***"),
        (SecretStr("redis://host:6379/0"), "redis://host:6379/0"),
        (SecretStr("redis://:hunter2@host:6379/0"), "redis://:***@host:6379/0"),
        (SecretStr("postgresql://me:hunter2@host/db"), "postgresql://me:***@host/db"),
        (SecretStr("postgresql://me:hunt@er:2/@host/db"), "postgresql://me:***@host/db"),
        (SecretStr("postgresql://me@host/db"), "postgresql://me@host/db"),
        ("https://me:hunter2@registry", "https://me:***@registry"),
        (
            SecretStr("postgresql:///db?host=h&user=me&password=hunter2&sslmode=require"),
            "postgresql:///db?host=h&user=me&password=***&sslmode=require",
        ),
        (SecretStr("redis://host?sslpassword=hunter2"), "redis://host?sslpassword=***"),
    ],
)
def test_people_see_values_without_their_secrets(value: object, text: str) -> None:
    assert masked(value) == text


def test_every_setting_says_its_value_and_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_TOOL_POOL_SIZE", "3")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@host/db")
    found = {setting.name: setting for setting in effective(CATALOGUE, {"DATABASE_URL": ".env"})}
    assert found["MAESTRO_TOOL_POOL_SIZE"] == Setting(
        section="Tools",
        name="MAESTRO_TOOL_POOL_SIZE",
        value="3",
        source="environment",
        description=ToolSettings.model_fields["pool_size"].description or "",
    )
    assert (found["DATABASE_URL"].value, found["DATABASE_URL"].source) == (
        "postgresql://me:***@host/db",
        ".env",
    )
    assert (found["MAESTRO_MODEL_DEFAULT"].value, found["MAESTRO_MODEL_DEFAULT"].source) == (
        "rehearsal",
        "default",
    )


@pytest.mark.usefixtures("restored_environment")
def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nMAESTRO_TOOL_POOL_SIZE=3\nMAESTRO_TOOL_RESULT_LIMIT_BYTES=2000\nNOTHING\n")
    monkeypatch.setenv("MAESTRO_TOOL_POOL_SIZE", "5")
    assert read_env_file(file) == {"MAESTRO_TOOL_RESULT_LIMIT_BYTES"}
    (tools,) = load(ToolSettings)
    assert (tools.pool_size, tools.result_limit_bytes) == (5, 2000)


def test_no_file_gives_nothing(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / ".env") == frozenset()


@pytest.mark.usefixtures("restored_environment")
def test_the_example_file_is_a_valid_one_with_the_defaults(tmp_path: Path) -> None:
    (text,) = (text for path, text in documents().items() if path.name == ".env.example")
    lines = [line.removeprefix("# ") for line in text.splitlines() if "=" in line and line.startswith("# ")]
    settings = [line for line in lines if line.partition("=")[0].isupper() and line.partition("=")[2]]
    file = tmp_path / ".env"
    file.write_text("\n".join(line.replace("***", "x") for line in settings))
    assert len(read_env_file(file)) == len(settings) > 30
    _ = load(*CATALOGUE.values())


def test_every_setting_is_in_the_written_pages_and_these_are_up_to_date() -> None:
    assert stale() == []
    for text in documents().values():
        for model in CATALOGUE.values():
            for field in model.model_fields:
                assert env_name(model, field) in text


def test_a_default_is_written_as_it_would_be_set() -> None:
    assert default_text(ToolSettings.model_fields["modules"]) == ""
    assert default_text(ToolSettings.model_fields["pool_size"]) == "64"
    assert default_text(KafkaSettings.model_fields["ssl_check_hostname"]) == "true"
    assert default_text(KafkaSettings.model_fields["sasl_password"]) == ""
