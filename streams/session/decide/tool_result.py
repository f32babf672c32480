"""A tool has answered: keep its result, and go on when it was the last of its generation."""

from msgspec import DecodeError, Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from schemas.lists import Action, ToolOutcome
from schemas.records import ToolResult
from streams.session.configurations import read_configuration
from streams.session.context import ActiveRun, Pending, StepKind
from streams.session.decide.batch import end_call
from streams.session.decide.calls import ask_again, result_bytes
from streams.session.decide.decision import Decision
from streams.session.decide.late import ignore_late
from streams.session.decide.person import approval_due_ms, wait_for_person
from streams.session.payloads import ToolEnded
from streams.session.rules import Rules
from streams.session.sizes import cut

SQL_TOOL = "sql_query"

ERROR_BYTES = 4_096
"""What is kept of a tool's error message."""


class _SqlArguments(Struct, frozen=True):
    query: str | None = None
    sql: str | None = None


_SQL_ARGUMENTS = Decoder(_SqlArguments)
_TEXT = Decoder(str)


def decide_tool_result(decision: Decision, result: ToolResult) -> None:
    """Draft what a tool's outcome makes happen."""
    run = decision.context.run
    step = decision.context.awaits(result.tool_call_id)
    if run is None or step is None or step.kind is not StepKind.TOOL:
        ignore_late(decision, result.tool_call_id, StepKind.TOOL, result.run_id)
        return
    text = _text(result, run, decision.rules)
    sql_query = _sql_query(step, result)
    decision.log(
        _action_of(result),
        ToolEnded(
            outcome=result.outcome,
            order=decision.next_order(),
            text=text,
            latency_ms=result.latency_ms,
            error_code=None if result.error_code is None else cut(result.error_code, 200),
            error_message=None if result.error_message is None else cut(result.error_message, ERROR_BYTES),
            sql_query=sql_query,
        ),
        run_id=run.id,
        tool_name=step.name,
        tool_call_id=step.step_id,
        success=result.outcome is ToolOutcome.SUCCEEDED,
    )
    if result.outcome is ToolOutcome.OUTCOME_UNKNOWN:
        due_ms = approval_due_ms(decision, read_configuration(run.configuration))
        ask_again(decision, run, step, due_ms=due_ms)
        wait_for_person(decision, run)
        return
    run = replace(run, sql_query=sql_query or run.sql_query)
    end_call(decision, run, step, text, failed=result.outcome is not ToolOutcome.SUCCEEDED)


def _action_of(result: ToolResult) -> Action:
    match result.outcome:
        case ToolOutcome.SUCCEEDED:
            return Action.TOOL_SUCCEEDED
        case ToolOutcome.OUTCOME_UNKNOWN:
            return Action.TOOL_OUTCOME_UNKNOWN
        case _:
            return Action.TOOL_FAILED


def _text(result: ToolResult, run: ActiveRun, rules: Rules) -> str:
    """Return what the model reads."""
    limit = result_bytes(rules, len(run.batch))
    if result.outcome is ToolOutcome.SUCCEEDED:
        return cut(_shown(result.result), limit)
    code = result.error_code or result.outcome.value
    return cut(f"Error ({code}): {result.error_message or 'the tool said nothing'}", limit)


def _shown(result: str) -> str:
    # A text without its quotes, any other value as it is written.
    if not result.startswith('"'):
        return result
    try:
        return _TEXT.decode(result)
    except DecodeError:
        return result


def _sql_query(step: Pending, result: ToolResult) -> str | None:
    if step.name != SQL_TOOL or result.outcome is not ToolOutcome.SUCCEEDED:
        return None
    try:
        arguments = _SQL_ARGUMENTS.decode(step.arguments or "{}")
    except DecodeError:
        return None
    return arguments.query or arguments.sql
