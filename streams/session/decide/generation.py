"""A model has answered: call tools, go on thinking, answer the user, or fail."""

from msgspec.structs import replace

from schemas.agent_file import AgentConfiguration, Approval
from schemas.errors import ErrorCode
from schemas.lists import Action, GenerationStatus, StopReason
from schemas.records import Generation
from streams.session import budgets
from streams.session.configurations import read_configuration
from streams.session.context import ActiveRun, AskedCall, Pending, StepKind
from streams.session.decide.asked_calls import NonsenseError, ParsedCall, asked_calls
from streams.session.decide.batch import conclude_batch
from streams.session.decide.calls import ask_person, refuse, send
from streams.session.decide.course import answer, give_up, out_of_budget, said_without_tools
from streams.session.decide.decision import Decision
from streams.session.decide.late import ignore_late
from streams.session.decide.person import approval_due_ms, wait_for_person
from streams.session.folds.step import with_generation
from streams.session.payloads import GenerationEnded, Thought
from streams.session.prompt import offers_tools
from streams.session.sizes import cut, json_bytes

ERROR_BYTES = 4_096
"""What is kept of a model's error message."""

_OUT_OF_TIME = frozenset({ErrorCode.MODEL_TIMEOUT, ErrorCode.DEADLINE})


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
        _fail(decision, run, step, _ended(step, generation, code=code, message=message))
        return
    has_tools = offers_tools(run, step.purpose, read_configuration(run.configuration))
    try:
        calls = _checked_calls(decision, generation, has_tools=has_tools)
    except NonsenseError as error:
        message = f"the model's answer is of no use: {error}; try again, or use another model"
        _fail(decision, run, step, _ended(step, generation, code=ErrorCode.MODEL_NONSENSE, message=message))
        return
    ended = _ended(step, generation)
    decision.log(Action.GENERATION_COMPLETED, ended, run_id=run.id)
    run = _with_usage(decision, run, ended)
    if calls:
        _act(decision, run, step, generation.response, calls)
    elif has_tools:
        answer(decision, run, step, generation.response)
    else:
        said_without_tools(decision, run, step, generation.response)


def _with_usage(decision: Decision, run: ActiveRun, ended: GenerationEnded) -> ActiveRun:
    decision.spent = with_generation(decision.spent, ended)
    return replace(run, usage=with_generation(run.usage, ended))


def _checked_calls(decision: Decision, generation: Generation, *, has_tools: bool) -> tuple[ParsedCall, ...]:
    # A model that had no tools and calls some all the same is taken by its text.
    calls = asked_calls(generation, max_calls=decision.rules.max_tool_calls) if has_tools else ()
    size = json_bytes(generation.response) + sum([json_bytes(call.arguments) for call in calls])
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
        purpose=step.purpose or generation.purpose,
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


def _fail(decision: Decision, run: ActiveRun, step: Pending, ended: GenerationEnded) -> None:
    decision.log(Action.GENERATION_FAILED, ended, run_id=run.id, success=False)
    run = _with_usage(decision, run, ended)
    configuration = read_configuration(run.configuration)
    if ended.error_code in _OUT_OF_TIME and run.over is None:
        # The model had less time than its own deadline where the budget of seconds ends before.
        over = budgets.seconds_exceeded(decision.context, run, configuration, now_ms=step.due_ms)
        if over is not None:
            out_of_budget(decision, run, over)
            return
    give_up(
        decision,
        run,
        StopReason.MODEL_ERROR,
        ended.error_code or ErrorCode.MODEL_ERROR,
        ended.error_message or "",
    )


def _act(decision: Decision, run: ActiveRun, step: Pending, text: str, asked: tuple[ParsedCall, ...]) -> None:
    calls = tuple([AskedCall(id=call.id, name=call.name, arguments=call.arguments) for call in asked])
    thought = Thought(generation_id=step.step_id, order=decision.next_order(), text=text, calls=calls)
    decision.log(_action_of(run, step, text), thought, run_id=run.id)
    configuration = read_configuration(run.configuration)
    room = decision.rules.max_batch_bytes // len(asked)
    for_person = {name for name, rule in configuration.approvals.items() if rule is Approval.ALWAYS}
    is_asked = any(call.name in for_person and call.name in configuration.tools for call in asked)
    due_ms = _tool_due_ms(decision, run, configuration, waits=is_asked)
    refused: dict[str, str] = {}
    for call in asked:
        if call.name not in configuration.tools:
            refused[call.id] = refuse(decision, run, call, configuration.tools, room_bytes=room)
        elif call.name in for_person:
            approval_ms = approval_due_ms(decision, configuration)
            ask_person(decision, run, step.step_id, call, due_ms=approval_ms)
        else:
            send(decision, run, step.step_id, call, due_ms=due_ms)
    if is_asked:
        wait_for_person(decision, run)
    elif len(refused) == len(asked):
        conclude_batch(decision, run, calls, refused, from_order=thought.order, has_failure=True)


def _tool_due_ms(
    decision: Decision, run: ActiveRun, configuration: AgentConfiguration, *, waits: bool
) -> int:
    now_ms = decision.event.at_ms
    if waits:  # The clock of the run stands still meanwhile.
        return now_ms + configuration.tool_deadline_s * 1000
    return budgets.due_ms(decision.context, run, configuration.tool_deadline_s, configuration, now_ms=now_ms)


def _action_of(run: ActiveRun, step: Pending, text: str) -> Action:
    if not text.strip():
        return Action.THOUGHT
    if step.index == 0:
        return Action.PLAN
    return Action.REFLECTION if run.batch else Action.THOUGHT
