"""Settings and names of the bus."""

import pytest
from pydantic import ValidationError

from bus.connection import client_options, translated
from bus.names import TopicNames
from bus.settings import KafkaSettings, TopicSettings
from schemas.errors import ErrorCode, FatalError, TransientError
from schemas.topics import ALL_TOPICS, RUNS


def test_the_environment_is_read_under_the_usual_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BOOTSTRAP_SERVERS": "k1:9092,k2:9092",
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": "SCRAM-SHA-512",
        "SASL_USERNAME": "maestro",
        "SASL_PASSWORD": "secret",
        "SSL_CHECK_HOSTNAME": "false",
    }.items():
        monkeypatch.setenv(f"KAFKA_{name}", value)
    settings = KafkaSettings()
    options = client_options(settings)
    assert options["bootstrap_servers"] == "k1:9092,k2:9092"
    assert options["sasl_plain_password"] == "secret"
    assert options["ssl_context"].check_hostname is False
    assert "secret" not in repr(settings)


def test_sasl_without_credentials_is_refused() -> None:
    with pytest.raises(ValidationError, match="KAFKA_SASL_USERNAME"):
        _ = KafkaSettings(security_protocol="SASL_SSL")


def test_a_missing_certificate_file_says_which_settings_to_check() -> None:
    with pytest.raises(FatalError, match="KAFKA_SSL_CAFILE"):
        _ = client_options(KafkaSettings(security_protocol="SSL", ssl_cafile="/nowhere.pem"))


def test_a_prefix_that_kafka_would_refuse_is_refused() -> None:
    with pytest.raises(ValidationError, match="letters, digits"):
        _ = TopicSettings(prefix="my topics/")


def test_names_go_both_ways() -> None:
    names = TopicNames("test.")
    assert names.full(RUNS) == "test.runs"
    assert [names.spec_of(names.full(spec)) for spec in ALL_TOPICS] == list(ALL_TOPICS)
    assert names.spec_of("runs") is None
    assert names.spec_of("test.other") is None
    assert names.group("session") == "test.session"


def test_the_name_of_an_error_of_kafka_is_said_once() -> None:
    from aiokafka import errors  # noqa: PLC0415  the door is bus; this is its test

    for error in (errors.KafkaConnectionError("nobody there"), errors.KafkaConnectionError()):
        assert translated(error, doing="x").message.count("KafkaConnectionError") == 1
    assert "nobody there" in translated(errors.KafkaConnectionError("nobody there"), doing="x").message


def test_kafkas_errors_say_what_to_do() -> None:
    from aiokafka import errors  # noqa: PLC0415  the door is bus; this is its test

    fenced = translated(errors.OutOfOrderSequenceNumber(), doing="publishing")
    assert isinstance(fenced, FatalError)
    assert fenced.code is ErrorCode.FENCED
    assert isinstance(translated(errors.NotLeaderForPartitionError(), doing="x"), TransientError)
    assert isinstance(translated(errors.KafkaTimeoutError(), doing="x"), TransientError)
    assert isinstance(translated(TimeoutError(), doing="x"), TransientError)
    assert isinstance(translated(errors.CommitFailedError(), doing="x"), TransientError)
    assert isinstance(translated(errors.TopicAuthorizationFailedError("t"), doing="x"), FatalError)
    assert isinstance(
        translated(errors.KafkaError("Unexpected error during batch delivery"), doing="x"), FatalError
    )
