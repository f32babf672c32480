"""Headers: one CloudEvent per record, with its trace."""

from datetime import datetime

import pytest

from bus.headers import event_id_of, headers_of
from schemas import examples
from telemetry.tracing import derived, parse

TRACE = derived("event")


@pytest.mark.parametrize("topic", list(examples.ALL))
def test_every_record_has_the_required_attributes(topic: str) -> None:
    record = examples.ALL[topic]
    headers = headers_of(record, trace=TRACE, source=b"/maestro/test")
    named = dict(headers)
    assert named["ce_specversion"] == b"1.0"
    assert named["ce_type"] == f"maestro.{type(record).__name__}".encode()
    assert named["ce_source"] == b"/maestro/test"
    assert named["content-type"] == b"application/avro"
    assert datetime.fromisoformat(named["ce_time"].decode()).tzinfo is not None
    assert named["ce_id"]
    assert parse(headers) == TRACE


def test_a_record_that_is_published_again_keeps_its_event_id() -> None:
    assert event_id_of(examples.TOOL_CALL) == event_id_of(examples.TOOL_CALL.model_copy())


def test_two_states_of_one_run_are_two_events() -> None:
    assert event_id_of(examples.RUN) != event_id_of(examples.RUN.model_copy(update={"version": 13}))


def test_a_decision_and_a_fence_are_two_events() -> None:
    assert event_id_of(examples.TASK_LOGS) != event_id_of(examples.FENCE)
