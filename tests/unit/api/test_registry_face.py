"""The committed schemas are found by id, and by subject and version."""

import json

from api.registry_face import Subjects, is_version
from bus.codec import Codec
from bus.names import TopicNames
from schemas import examples
from schemas.avro_schema import schema_id
from schemas.committed import Committed, read_committed
from schemas.topics import ALL_TOPICS

FACE = Subjects.of(read_committed(), TopicNames("maestro."))


def test_the_id_that_a_value_carries_leads_to_its_schema() -> None:
    value = Codec().encode(examples.USER_MESSAGE)
    (found,) = FACE.by_id[int.from_bytes(value[1:5], "big")]
    assert found.subject == "maestro.user-messages-value"
    assert json.loads(found.text)["name"] == "UserMessage"


def test_every_topic_with_records_has_a_subject_and_no_other() -> None:
    wanted = {f"maestro.{spec.name}-value" for spec in ALL_TOPICS if spec.record is not None}
    assert set(FACE.by_subject) == wanted


def test_versions_are_found_by_number_and_the_latest_by_name() -> None:
    first, second = {"type": "string"}, {"type": "long"}
    face = Subjects.of(Committed({"runs": {1: first, 2: second}}), TopicNames("p."))
    assert face.version("p.runs-value", "1") == face.by_id[schema_id(first)][0]
    assert face.version("p.runs-value", "latest") == face.by_id[schema_id(second)][0]
    assert face.version("p.runs-value", "-1") == face.version("p.runs-value", "2")
    assert face.version("p.runs-value", "3") is None
    assert face.version("p.agents-value", "latest") is None
    assert face.version("nothing", "1") is None


def test_a_version_is_a_number_or_the_latest() -> None:
    assert all(map(is_version, ("1", "007", "latest", "-1", str(2**31 - 1))))
    assert not any(map(is_version, ("0", "-2", "", "one", "٣", str(2**31), "9" * 400)))
