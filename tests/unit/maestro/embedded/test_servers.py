"""The servers' configurations say what the rest of Maestro relies on."""

import struct
from pathlib import Path

from maestro.embedded.kafka import Kafka, api_versions_request, server_properties
from maestro.embedded.postgres import forget_dead_postmaster, server_configuration
from maestro.embedded.redis_server import Redis, redis_configuration


def parsed(text: str, separator: str) -> dict[str, str]:
    """Split `name separator value` lines."""
    pairs = (line.split(separator, 1) for line in text.splitlines())
    return {name.strip(): value.strip() for name, value in pairs}


def test_kafka_listens_on_loopback_only_and_makes_no_topics_by_itself(tmp_path: Path) -> None:
    kafka = Kafka(
        folder=tmp_path,
        jars=tmp_path,
        port=20_001,
        controller_port=20_002,
        cluster_id="x" * 22,
        log=tmp_path / "log",
        pid_file=tmp_path / "pid",
    )
    values = parsed(server_properties(kafka), "=")
    assert values["listeners"] == "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert values["controller.quorum.voters"] == "1@127.0.0.1:20002"
    assert values["auto.create.topics.enable"] == "false"
    internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    assert {values[f"{topic}.replication.factor"] for topic in internal} == {"1"}


def test_the_probe_is_a_well_framed_request() -> None:
    request = api_versions_request()
    size, key, version, _, client_size = struct.unpack(">ihhih", request[:14])
    assert size == len(request) - 4
    assert (key, version) == (18, 0)
    assert client_size == len(request) - 14


def test_redis_evicts_nothing_writes_its_file_and_wants_a_password(tmp_path: Path) -> None:
    redis = Redis(
        folder=tmp_path, port=20_003, password="word", log=tmp_path / "log", pid_file=tmp_path / "pid"
    )
    values = parsed(redis_configuration(redis), " ")
    assert values["maxmemory-policy"] == "noeviction"
    assert values["appendonly"] == "yes"
    assert values["save"] == '""'
    assert values["bind"] == "127.0.0.1"
    assert values["requirepass"] == '"word"'
    assert redis.url == "redis://:word@127.0.0.1:20003/0"


def test_postgres_listens_on_loopback_only_and_keeps_what_it_confirms() -> None:
    values = parsed(server_configuration(20_004), "=")
    assert values["listen_addresses"] == "'127.0.0.1'"
    assert values["unix_socket_directories"] == "''"
    assert values["password_encryption"] == "'scram-sha-256'"
    assert not {"fsync", "synchronous_commit", "full_page_writes"} & set(values)


def test_the_lock_of_a_killed_database_is_forgotten_when_its_process_id_is_anothers(tmp_path: Path) -> None:
    lock = tmp_path / "postmaster.pid"
    lock.write_text("1\n/somewhere\n")
    forget_dead_postmaster(tmp_path)
    assert not lock.exists()
    forget_dead_postmaster(tmp_path)
