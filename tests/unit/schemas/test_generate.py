"""The committed Avro schemas are what the models say."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas import generate
from schemas.avro_schema import canonical_text, schema_id, schema_of
from schemas.committed import AVRO_FOLDER, Committed, read_committed
from schemas.records import Record, TaskLogs, UserMessage
from schemas.topics import ALL_TOPICS, BY_RECORD


def test_the_committed_schemas_are_up_to_date() -> None:
    assert generate.differences(generate.plan(read_committed())) == []


def test_every_version_of_every_topic_has_an_id_of_its_own() -> None:
    ids = json.loads((AVRO_FOLDER / "ids.json").read_text())
    assert set(ids) == {spec.name for spec in ALL_TOPICS if spec.record is not None}
    every = [identity for versions in ids.values() for identity in versions.values()]
    assert len(set(every)) == len(every)
    assert all(0 < identity < 2**31 for identity in every)


@pytest.mark.parametrize("record", list(BY_RECORD), ids=lambda record: record.__name__)
def test_every_field_has_a_doc_and_every_enum_a_default(record: type[Record]) -> None:
    def check(schema: Any) -> None:
        if isinstance(schema, list):
            for part in schema:
                check(part)
        elif isinstance(schema, dict):
            if schema["type"] == "enum":
                assert schema["default"] == "unknown"
                assert "unknown" in schema["symbols"]
            if schema["type"] in {"enum", "record"}:
                assert schema["doc"]
            for field in schema.get("fields", ()):
                assert field["doc"], field["name"]
                check(field["type"])
            check(schema.get("items"))

    check(schema_of(record))


def test_logical_types_reach_the_schema_through_optional_fields() -> None:
    fields = {field["name"]: field["type"] for field in schema_of(UserMessage)["fields"]}
    assert fields["session_id"] == {"type": "string", "logicalType": "uuid"}
    assert fields["id"] == ["null", {"type": "string", "logicalType": "uuid"}]
    times = {field["name"]: field["type"] for field in schema_of(TaskLogs)["fields"]}
    assert times["occurred_at"] == {"type": "long", "logicalType": "timestamp-micros"}


def test_a_doc_changes_neither_id_nor_version() -> None:
    schema = schema_of(UserMessage)
    reworded = schema | {"doc": "Other words."}
    assert schema_id(reworded) == schema_id(schema)
    committed = Committed({"user-messages": {1: reworded}})
    assert "versions/user-messages/2.avsc" not in generate.plan(committed)


def test_a_default_named_doc_is_kept() -> None:
    assert '"doc"' in canonical_text({"name": "x", "doc": "words", "default": {"doc": "kept"}})


def test_a_changed_meaning_makes_a_new_version_and_amending_replaces_the_newest() -> None:
    older = schema_of(UserMessage)
    older["fields"] = older["fields"][:-1]
    committed = Committed({"user-messages": {1: older}})
    added = generate.plan(committed)
    assert json.loads(added["versions/user-messages/1.avsc"]) == older
    assert json.loads(added["versions/user-messages/2.avsc"]) == schema_of(UserMessage)
    amended = generate.plan(committed, amend=True)
    assert json.loads(amended["versions/user-messages/1.avsc"]) == schema_of(UserMessage)
    assert "versions/user-messages/2.avsc" not in amended


def test_writing_checking_and_a_stray_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"], tmp_path) == 1
    assert "user-messages.avsc" in capsys.readouterr().err
    assert generate.main([], tmp_path) == 0
    assert generate.main(["--check"], tmp_path) == 0
    _ = (tmp_path / "stray.avsc").write_text("{}")
    assert generate.main(["--check"], tmp_path) == 1
    assert generate.main([], tmp_path) == 0
    assert not (tmp_path / "stray.avsc").exists()


def test_two_schemas_with_one_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def always_seven(schema: object) -> int:
        return 7 if schema else 0

    monkeypatch.setattr(generate, "schema_id", always_seven)
    with pytest.raises(ValueError, match="share the schema id 7"):
        _ = generate.plan(Committed({}))
