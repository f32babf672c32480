"""A model has answered: call tools, answer the user, or fail."""

from msgspec.structs import replace

from schemas.errors import ErrorCode
from schemas.lists import Action, GenerationStatus, Role, StopReason, ToolOutcome
from schemas.records import Generation
from streams.session.configurations import read_configuration
from streams.session.context import ActiveRun, AskedCall, Message, Pending, StepKind
from streams.session.decide.asked_calls import NonsenseError, ParsedCall, asked_calls
from streams.session.decide.batch import conclude_batch
from streams.session.decide.decision import Decision
from streams.session.decide.late import ignore_late
from streams.session.folds.step import with_generation
from streams.session.payloads import GenerationEnded, RunCompleted, Thought, ToolCalled, ToolEnded
from streams.session.sizes import cut, json_bytes, message_bytes

ERROR_BYTES = 4_096
"""What is kept of a model's or tool's error message."""


def decide_generation(decision: Decision, generation: Generation) -> None:
    """Draft what a model's answer makes happen."""
    run = decision.context.run
    step = decision.context.awaits(generation.id)
    if run is None or step is None or step.kind is not StepKind.GENERATION:
        ignore_late(decision, generation.id, StepKind.GENERATION, generation.run_id)
        return
    if generation.status is not GenerationStatus.COMPLETED:
        code = generation.error_code or ErrorCode.MODEL_ERROR
        message = generation.error_message or "the model failed"
        _fail(decision, run, _ended(step, generation, code=code, message=message))
        return
    try:
        calls = _checked_calls(decision, generation)
    except NonsenseError as error:
        message = f"the model's answer is of no use: {error}; try again, or use another model"
        _fail(decision, run, _ended(step, generation, code=ErrorCode.MODEL_NONSENSE, message=message))
        return
    ended = _ended(step, generation)
    decision.log(Action.GENERATION_COMPLETED, ended, run_id=run.id)
    run = replace(run, usage=with_generation(run.usage, ended))
    if calls:
        _act(decision, run, step, generation.response, calls)
    else:
        _answer(decision, run, generation.response)


def _checked_calls(decision: Decision, generation: Generation) -> tuple[ParsedCall, ...]:
    calls = asked_calls(generation, max_calls=decision.rules.max_tool_calls)
    size = json_bytes(generation.response) + sum(json_bytes(call.arguments) for call in calls)
    if size > decision.rules.max_answer_bytes:
        message = f"it takes {size} bytes, {decision.rules.max_answer_bytes} are allowed"
        raise NonsenseError(message)
    if not calls and not generation.response.strip():
        message = "it is empty"
        raise NonsenseError(message)
    return calls


def _ended(
    step: Pending, generation: Generation, *, code: str | None = None, message: str | None = None
) -> GenerationEnded:
    return GenerationEnded(
        generation_id=step.step_id,
        index=step.index,
        purpose=generation.purpose,
        model_name=generation.model_name,
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=generation.completion_tokens,
        total_tokens=generation.total_tokens,
        cost=generation.cost_estimate,
        latency_ms=generation.latency_ms,
        finish_reason=None if generation.finish_reason is None else cut(generation.finish_reason, 200),
        error_code=None if code is None else cut(code, 200),
        error_message=None if message is None else cut(message, ERROR_BYTES),
    )


def _fail(decision: Decision, run: ActiveRun, ended: GenerationEnded) -> None:
    decision.log(Action.GENERATION_FAILED, ended, run_id=run.id, success=False)
    decision.fail(
        run,
        StopReason.MODEL_ERROR,
        ended.error_code or ErrorCode.MODEL_ERROR,
        ended.error_message or "",
    )


def _answer(decision: Decision, run: ActiveRun, text: str) -> None:
    order = decision.next_order()
    decision.log(
        Action.RUN_COMPLETED,
        RunCompleted(output=text, sql_query=run.sql_query, order=order),
        run_id=run.id,
    )
    answer = Message(order=order, role=Role.ASSISTANT, content=text, size=message_bytes(text), run_id=run.id)
    decision.messages = (*decision.messages, answer)
    decision.start_next()


def _act(decision: Decision, run: ActiveRun, step: Pending, text: str, calls: tuple[ParsedCall, ...]) -> None:
    asked = tuple(AskedCall(id=call.id, name=call.name, arguments=call.arguments) for call in calls)
    thought = Thought(generation_id=step.step_id, order=decision.next_order(), text=text, calls=asked)
    decision.log(_action_of(step, text), thought, run_id=run.id)
    configuration = read_configuration(run.configuration)
    due_ms = decision.event.at_ms + configuration.tool_deadline_s * 1000
    room = decision.rules.max_batch_bytes // len(calls)
    refused: dict[str, str] = {}
    for call in calls:
        if call.name in configuration.tools:
            _call(decision, run, step, call, due_ms)
        else:
            refused[call.id] = _refuse(decision, run, call, configuration.tools, room)
    if len(refused) == len(calls):
        conclude_batch(decision, run, asked, refused, from_order=thought.order)


def _action_of(step: Pending, text: str) -> Action:
    if not text.strip():
        return Action.THOUGHT
    return Action.PLAN if step.index == 0 else Action.REFLECTION


def _call(decision: Decision, run: ActiveRun, step: Pending, call: ParsedCall, due_ms: int) -> None:
    decision.log(
        Action.TOOL_CALLED,
        ToolCalled(
            generation_id=step.step_id,
            index=call.index,
            arguments=call.arguments,
            provider_call_id=call.provider_call_id,
            due_ms=due_ms,
        ),
        run_id=run.id,
        tool_name=call.name,
        tool_call_id=call.id,
    )


def _refuse(
    decision: Decision, run: ActiveRun, call: ParsedCall, tools: tuple[str, ...], room_bytes: int
) -> str:
    known = ", ".join(tools) or "none"
    message = f"there is no tool {call.name}; the tools are: {known}"
    text = cut(f"Error ({ErrorCode.UNKNOWN_TOOL}): {message}", min(room_bytes, ERROR_BYTES))
    decision.log(
        Action.TOOL_FAILED,
        ToolEnded(
            outcome=ToolOutcome.UNKNOWN_TOOL,
            order=decision.next_order(),
            text=text,
            latency_ms=0,
            error_code=ErrorCode.UNKNOWN_TOOL,
            error_message=cut(message, ERROR_BYTES // 4),
        ),
        run_id=run.id,
        tool_name=call.name,
        tool_call_id=call.id,
        success=False,
    )
    return text
