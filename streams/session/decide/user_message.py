"""A user says something: accept it and begin, let it wait, or reject it with a typed error."""

from msgspec import Raw, Struct
from msgspec.structs import replace

from schemas import ids
from schemas.errors import PoisonError
from schemas.lists import Action, AgentStatus, BusyPolicy, RunStatus, SessionStatus, StopReason
from schemas.records import Agent, UserMessage
from streams.session.budgets import session_exceeded
from streams.session.configurations import canonical_configuration, read_configuration
from streams.session.context import Context, QueuedRun
from streams.session.decide.decision import Decision
from streams.session.payloads import (
    MessageReceived,
    MessageRejected,
    RunQueued,
    SessionCreated,
    SessionLapsed,
    SessionResumed,
)
from streams.session.rules import Rules
from streams.session.sizes import cut, first_chars, json_bytes
from streams.session.timers import is_overdue

TITLE_CHARS = 80
REJECTED_CONTENT_BYTES = 4_096
"""What is kept of a rejected message."""


class _Rejection(Struct, frozen=True, kw_only=True, gc=False):
    reason: StopReason
    message: str


def agent_of_message(context: Context, message: UserMessage, rules: Rules) -> str:
    """Return the agent that shall answer: the message's, else the session's, else the default one."""
    return message.agent_id or context.agent_id or rules.default_agent_id


def decide_user_message(decision: Decision, message: UserMessage, agent: Agent | None) -> None:
    """Draft what a message makes happen.

    An accepted one ends in exactly one terminal run, a rejected one in that at once.
    """
    context, rules = decision.context, decision.rules
    run = _run_of(decision, message)
    usable = usable_agent(agent, user_id=message.user_id, session_id=context.session_id)
    configuration, problem = _configuration(usable, run.agent_id, rules)
    rejection = _refused(context, message, rules) or problem or _over_budget(decision, configuration)
    policy = _policy(message, configuration)
    if rejection is None:
        rejection = _too_busy(context, run, configuration, policy, rules)
    if context.is_new:
        _create(decision, message, usable, configuration)
    if rejection is not None:
        _reject(decision, message, run, rejection)
        return
    _accept(decision, run, configuration, policy)


def usable_agent(agent: Agent | None, *, user_id: str, session_id: str) -> Agent | None:
    """Return `agent` when it is active, built in or the user's own, and not bound to another session."""
    if agent is None or agent.status is not AgentStatus.ACTIVE:
        return None
    is_theirs = agent.user_id is None or agent.user_id == user_id
    is_here = agent.session_id is None or agent.session_id == session_id
    return agent if is_theirs and is_here else None


def _run_of(decision: Decision, message: UserMessage) -> QueuedRun:
    return QueuedRun(
        id=ids.run_id(decision.context.session_id, decision.event.id),
        message_id=decision.event.id,
        agent_id=agent_of_message(decision.context, message, decision.rules),
        content=message.content,
        created_at_ms=decision.event.at_ms,
        metadata=message.metadata,
    )


def _configuration(agent: Agent | None, agent_id: str, rules: Rules) -> tuple[str, _Rejection | None]:
    if agent is None:
        text = f"agent {agent_id} does not exist, is not active or is not yours; name another one"
        return "", _Rejection(reason=StopReason.UNKNOWN_AGENT, message=text)
    try:
        configuration = canonical_configuration(agent)
    except PoisonError as error:
        text = f"{error.message}; mend the agent and send the message again"
        return "", _Rejection(reason=StopReason.INVALID, message=text)
    if len(configuration.encode()) > rules.max_configuration_bytes:
        limit = rules.max_configuration_bytes
        text = f"the configuration of agent {agent_id} is larger than {limit} bytes; shorten it"
        return "", _Rejection(reason=StopReason.TOO_LARGE, message=text)
    return configuration, None


def _refused(context: Context, message: UserMessage, rules: Rules) -> _Rejection | None:
    if not context.is_new and message.user_id != context.user_id:
        text = "this session belongs to somebody else; use a session of your own"
        return _Rejection(reason=StopReason.WRONG_OWNER, message=text)
    if context.archived:
        text = "this session is archived; unarchive it first"
        return _Rejection(reason=StopReason.ARCHIVED, message=text)
    size = json_bytes(message.content) + json_bytes(message.metadata or "")
    if size > rules.max_content_bytes:
        text = (
            f"the message takes {size} bytes with its metadata, {rules.max_content_bytes} are allowed;"
            " send less, or send it in parts"
        )
        return _Rejection(reason=StopReason.TOO_LARGE, message=text)
    return None


def _over_budget(decision: Decision, configuration: str) -> _Rejection | None:
    limits = read_configuration(configuration).session_limits
    over = session_exceeded(decision.context, decision.spent, limits, now_ms=decision.event.at_ms)
    return None if over is None else _Rejection(reason=over.stop_reason, message=over.message)


def _policy(message: UserMessage, configuration: str) -> BusyPolicy:
    policy = message.on_busy
    if (policy is None or policy is BusyPolicy.UNKNOWN) and configuration:
        policy = read_configuration(configuration).on_busy
    return BusyPolicy.ENQUEUE if policy is None or policy is BusyPolicy.UNKNOWN else policy


def _too_busy(
    context: Context, run: QueuedRun, configuration: str, policy: BusyPolicy, rules: Rules
) -> _Rejection | None:
    if context.run is None or policy in {BusyPolicy.INTERRUPT, BusyPolicy.ROLLBACK}:
        return None
    if policy is BusyPolicy.REJECT:
        is_asking = context.run.status is RunStatus.WAITING
        until = "approve or deny the call that it asks about" if is_asking else "wait for its end"
        text = f"run {context.run.id} is active; {until}, or send with on_busy enqueue"
        return _Rejection(reason=StopReason.BUSY, message=text)
    waiting = sum(
        _queued_bytes(other.content, other.configuration, other.metadata) for other in context.queue
    )
    has_room = (
        len(context.queue) < rules.max_queued_runs
        and waiting + _queued_bytes(run.content, configuration, run.metadata) <= rules.max_queued_bytes
    )
    if has_room:
        return None
    text = f"{len(context.queue)} messages wait already; send this one when some are answered"
    return _Rejection(reason=StopReason.BUSY, message=text)


def _queued_bytes(content: str, configuration: str, metadata: str | None) -> int:
    return json_bytes(content) + json_bytes(configuration) + json_bytes(metadata or "")


def _create(decision: Decision, message: UserMessage, agent: Agent | None, configuration: str) -> None:
    ttl_s = read_configuration(configuration).ttl_seconds if configuration else None
    decision.log(
        Action.SESSION_CREATED,
        SessionCreated(
            user_id=message.user_id,
            agent_id=None if agent is None else agent.id,
            title=first_chars(message.title or message.content, TITLE_CHARS),
            repo_url=None if message.repo_url is None else cut(message.repo_url, REJECTED_CONTENT_BYTES),
            ttl_s=decision.rules.allowed_ttl_s(ttl_s),
            idle_s=decision.rules.idle_s,
        ),
    )


def _reject(decision: Decision, message: UserMessage, run: QueuedRun, rejection: _Rejection) -> None:
    decision.log(
        Action.MESSAGE_REJECTED,
        MessageRejected(
            message_id=run.message_id,
            user_id=message.user_id,
            agent_id=run.agent_id,
            stop_reason=rejection.reason,
            error_code=rejection.reason.value,
            error_message=cut(rejection.message, REJECTED_CONTENT_BYTES),
            content=cut(message.content, REJECTED_CONTENT_BYTES),
        ),
        run_id=run.id,
        success=False,
    )


def _resume(decision: Decision) -> None:
    """Use an idle or expired session again, also one whose expiry nobody was there to decide."""
    context, status = decision.context, decision.context.status
    if is_overdue(context, decision.event.at_ms):
        decision.log(Action.SESSION_EXPIRED, SessionLapsed(last_activity_ms=context.last_activity_ms))
        status = SessionStatus.EXPIRED
    if status is not SessionStatus.ACTIVE:
        resumed = SessionResumed(status_before=status, idle_s=decision.rules.idle_s)
        decision.log(Action.SESSION_RESUMED, resumed)


def _accept(decision: Decision, run: QueuedRun, configuration: str, policy: BusyPolicy) -> None:
    context = decision.context
    _resume(decision)
    decision.log(
        Action.MESSAGE_RECEIVED,
        MessageReceived(
            message_id=run.message_id,
            agent_id=run.agent_id,
            content=run.content,
            metadata=run.metadata,
        ),
        run_id=run.id,
    )
    run = replace(run, configuration=configuration)
    active = context.run
    if active is None:
        decision.start(run)
        return
    match policy:
        case BusyPolicy.INTERRUPT:
            decision.cancel(active.id, StopReason.INTERRUPTED, "a newer message took its place")
            decision.start(run)
        case BusyPolicy.ROLLBACK:
            decision.cancel(active.id, StopReason.ROLLED_BACK, "a newer message took it back")
            decision.start(run)
        case BusyPolicy.ENQUEUE | BusyPolicy.REJECT | BusyPolicy.UNKNOWN:
            decision.log(
                Action.RUN_QUEUED,
                RunQueued(position=len(context.queue), configuration=Raw(configuration.encode())),
                run_id=run.id,
            )
