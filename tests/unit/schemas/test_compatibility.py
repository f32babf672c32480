"""The gate objects to what mixed releases could not read, and names the field."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from schemas import compatibility
from schemas.avro_schema import schema_of
from schemas.compatibility import objections
from schemas.records import TaskLogs, UserMessage


def changed(**field: Any) -> dict[str, Any]:
    """The schema of UserMessage with its field `title` changed."""
    schema = copy.deepcopy(schema_of(UserMessage))
    for each in schema["fields"]:
        if each["name"] == "title":
            each.update(field)
    return schema


def with_field(**field: Any) -> dict[str, Any]:
    schema = copy.deepcopy(schema_of(UserMessage))
    schema["fields"].append(field)
    return schema


def test_the_committed_versions_fit_the_models() -> None:
    assert compatibility.problems() == []


def test_a_new_field_with_a_default_is_accepted_both_ways() -> None:
    newer = with_field(name="language", type=["null", "string"], default=None)
    assert objections(reader=newer, writer=schema_of(UserMessage)) == []
    assert objections(reader=schema_of(UserMessage), writer=newer) == []


def test_a_new_required_field_is_named() -> None:
    (objection,) = objections(
        reader=with_field(name="language", type="string"), writer=schema_of(UserMessage)
    )
    assert "field language" in objection


def test_a_changed_type_is_named() -> None:
    (objection,) = objections(reader=changed(type="long", default=0), writer=schema_of(UserMessage))
    assert "field title" in objection


def test_a_removed_required_field_is_named() -> None:
    shorter = copy.deepcopy(schema_of(UserMessage))
    shorter["fields"] = [field for field in shorter["fields"] if field["name"] != "content"]
    (objection,) = objections(reader=schema_of(UserMessage), writer=shorter)
    assert "field content" in objection


def test_a_changed_field_of_a_nested_record_is_named() -> None:
    schema = copy.deepcopy(schema_of(TaskLogs))
    entry = schema["fields"][-1]["type"]["items"]
    for field in entry["fields"]:
        if field["name"] == "sequence":
            field["type"] = "string"
    (objection,) = objections(reader=schema, writer=schema_of(TaskLogs))
    assert "sequence" in objection


def test_micros_that_become_millis_are_named() -> None:
    schema = json.loads(json.dumps(schema_of(TaskLogs)).replace("timestamp-micros", "timestamp-millis"))
    assert objections(reader=schema, writer=schema_of(TaskLogs)) == [
        "field occurred_at: timestamp-micros became timestamp-millis"
    ]


def test_a_uuid_that_becomes_plain_text_is_named() -> None:
    schema = copy.deepcopy(schema_of(UserMessage))
    schema["fields"][0]["type"] = ["null", "string"]
    assert objections(reader=schema, writer=schema_of(UserMessage)) == ["field id: uuid became a plain type"]


def test_a_new_symbol_is_accepted_because_of_the_enums_default() -> None:
    text = json.dumps(schema_of(UserMessage)).replace('"rollback"', '"rollback", "defer"')
    assert objections(reader=schema_of(UserMessage), writer=json.loads(text)) == []


def test_an_enum_that_a_second_field_names_is_found() -> None:
    schema = copy.deepcopy(schema_of(UserMessage))
    schema["fields"].append(
        {"name": "on_idle", "type": ["null", "maestro.BusyPolicy"], "default": None, "doc": "x"}
    )
    assert objections(reader=schema, writer=schema) == []


def test_a_bad_version_in_the_folder_is_reported_with_topic_and_version(tmp_path: Path) -> None:
    folder = tmp_path / "versions" / "user-messages"
    folder.mkdir(parents=True)
    _ = (folder / "1.avsc").write_text(json.dumps(changed(type="long", default=0)))
    found = compatibility.problems(tmp_path)
    assert any("user-messages: the models cannot read version 1: field title" in each for each in found)


def test_the_gate_fails_on_a_breaking_record_and_names_it(tmp_path: Path) -> None:
    package = tmp_path / "schemas"
    _ = shutil.copytree(Path(compatibility.__file__).parent, package)
    records = package / "records.py"
    text = records.read_text()
    broken = text.replace(
        "class UserMessage(Record):\n",
        'class UserMessage(Record):\n    mood: str = Field(description="How they feel.")\n',
    )
    assert broken != text
    _ = records.write_text(broken)

    done = subprocess.run(
        [sys.executable, "-m", "schemas.compatibility"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert done.returncode == 1
    assert "user-messages" in done.stderr
    assert "mood" in done.stderr
