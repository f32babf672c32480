"""Trails and tool calls read back as they were recorded, and as the document says."""

from datetime import UTC, date, datetime

import orjson
import pytest

from api.problems import Problem
from api.routes.usage import MOST_DAYS, stretch
from api.step_shapes import AuditTrail, ToolCallInContext, context_json, trail_json, usage_of
from schemas.lists import Action
from stores.postgres.session_logs import StoredLog
from stores.postgres.tool_calls import ToolCallContext
from stores.postgres.web_rows import UsageRow
from tests.fakes.made_session import AT, ODD_JSON, Made

MADE = Made("0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3e")
TODAY = date(2026, 11, 22)


def stored(sequence: int, payload: str) -> StoredLog:
    logs = MADE.logs(sequence, payload=payload)
    return StoredLog(
        **logs.entries[0].model_dump(),
        **logs.model_dump(
            include={
                "session_id",
                "task_id",
                "user_id",
                "term",
                "cause_id",
                "cause_topic",
                "cause_partition",
                "cause_offset",
                "trace_id",
                "occurred_at",
            }
        ),
    )


def test_a_trail_has_every_payload_as_it_was_hashed() -> None:
    deep = "[" * 600 + "1.50" + "]" * 600
    given = trail_json(MADE.task_id, [stored(1, ODD_JSON), stored(2, deep)])
    assert ODD_JSON.encode() in given
    assert deep.encode() in given
    trail = AuditTrail.model_validate(orjson.loads(trail_json(MADE.task_id, [stored(1, ODD_JSON)])))
    (entry,) = trail.entries
    assert (entry.sequence, entry.action, entry.occurred_at) == (1, Action.THOUGHT, AT)
    assert (trail.task_id, trail.session_id) == (MADE.task_id, MADE.session_id)


def test_a_tool_call_stands_in_its_context() -> None:
    whole = ToolCallContext(MADE.tool_call(), MADE.tool_result(), MADE.generation(), MADE.task())
    given = ToolCallInContext.model_validate(orjson.loads(context_json(whole)))
    assert given.tool_call.id == MADE.tool_call_id
    assert given.tool_call.arguments == orjson.loads(ODD_JSON)
    assert given.tool_result is not None
    assert given.tool_result.result == orjson.loads(ODD_JSON)
    assert given.tool_result.error is None
    assert given.generation is not None
    assert given.generation.token_usage.cost_estimate == 0.25
    assert given.task is not None
    assert given.task.prompt == "how many?"


def test_what_is_not_recorded_yet_is_null() -> None:
    given = orjson.loads(context_json(ToolCallContext(MADE.tool_call(), None, None, None)))
    assert (given["tool_result"], given["generation"], given["task"]) == (None, None, None)


def test_a_failed_result_says_why() -> None:
    failed = MADE.tool_result("null").model_copy(
        update={"success": False, "error_code": "tool_failed", "error_message": "no such table"}
    )
    given = orjson.loads(context_json(ToolCallContext(MADE.tool_call(), failed, None, None)))
    assert given["tool_result"]["error"] == {"code": "tool_failed", "message": "no such table"}


def row(cost: float | None, unpriced: int) -> UsageRow:
    return UsageRow(
        day=TODAY,
        model="m",
        prompt_tokens=1,
        completion_tokens=2,
        total_tokens=3,
        cost_estimate=cost,
        generations=1,
        unpriced=unpriced,
    )


def test_usage_is_summed_and_says_what_has_no_price() -> None:
    total = usage_of([row(0.5, 0), row(None, 1)], since=TODAY, until=TODAY).total
    assert (total.cost_estimate, total.unpriced, total.total_tokens, total.generations) == (0.5, 1, 6, 2)
    assert usage_of([row(None, 1)], since=TODAY, until=TODAY).total.cost_estimate is None


def test_the_usual_stretch_is_thirty_days() -> None:
    assert stretch(None, None, today=TODAY) == (date(2026, 10, 24), TODAY)
    assert stretch(None, date(1970, 1, 2), today=TODAY) == (date(1970, 1, 1), date(1970, 1, 2))


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (date(2026, 11, 23), TODAY),
        (date(2026, 11, 23), None),
        (date(2025, 11, 21), TODAY),
        (date(1, 1, 1), date(1, 1, 1)),
        (None, date(1, 1, 1)),
        (date(9999, 12, 31), date(9999, 12, 31)),
    ],
)
def test_a_stretch_that_makes_no_sense_is_refused(since: date | None, until: date | None) -> None:
    with pytest.raises(Problem) as refused:
        _ = stretch(since, until, today=TODAY)
    assert refused.value.status == 422


def test_a_year_is_the_longest_stretch() -> None:
    first, last = stretch(date(2025, 11, 22), TODAY, today=datetime.now(UTC).date())
    assert (last - first).days == MOST_DAYS - 1
