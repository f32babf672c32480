"""Kafka's jars are named by path and checksum, and only whole folders count as present."""

from pathlib import Path

import pytest

from maestro.embedded.errors import EmbeddedError
from maestro.embedded.jars import (
    KAFKA_VERSION,
    STAMP,
    Jar,
    are_present,
    ensure_jars,
    jars_dir,
    parse_jars,
    wanted_jars,
)
from maestro.embedded.settings import EmbeddedSettings


def test_a_line_gives_coordinates_and_checksum() -> None:
    (jar,) = parse_jars(f"{'ab' * 32}  org/apache/kafka/kafka-clients/4.3.1/kafka-clients-4.3.1.jar\n\n")
    assert jar == Jar(path="org/apache/kafka/kafka-clients/4.3.1/kafka-clients-4.3.1.jar", sha256="ab" * 32)
    assert jar.filename == "kafka-clients-4.3.1.jar"
    assert jar.coordinates == ("org.apache.kafka", "kafka-clients", "4.3.1")


def test_the_committed_list_names_each_jar_once_with_a_whole_checksum() -> None:
    jars = wanted_jars()
    assert len({jar.filename for jar in jars}) == len(jars) > 40
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in jars)
    assert f"kafka_2.13-{KAFKA_VERSION}.jar" in {jar.filename for jar in jars}


def test_a_folder_without_the_stamp_is_not_present(tmp_path: Path) -> None:
    for jar in wanted_jars():
        (tmp_path / jar.filename).touch()
    assert not are_present(tmp_path)
    (tmp_path / STAMP).write_text("of another release")
    assert not are_present(tmp_path)


def test_the_folder_that_is_set_wins(tmp_path: Path) -> None:
    assert jars_dir(EmbeddedSettings(kafka_jars_dir=tmp_path)) == tmp_path


def test_a_mirror_that_cannot_be_reached_is_named_in_the_error(tmp_path: Path) -> None:
    """A mirror on the loopback address where nothing listens: the error says what to do."""
    settings = EmbeddedSettings(kafka_jars_dir=tmp_path / "jars", maven_mirror="http://127.0.0.1:9/")
    with pytest.raises(EmbeddedError, match="MAESTRO_MAVEN_MIRROR"):
        ensure_jars(settings, lambda _: None)
    assert not are_present(tmp_path / "jars")
