"""What caused a recorded decision, as far as its log and the context before it tell. Pure.

Timers follow from the context. A message and the agent that answers it stand in the log almost whole: what is
made of it serves where the topic has forgotten the message.
"""

from dataclasses import dataclass

from schemas import ids
from schemas.lists import Action, BusyPolicy, StopReason
from schemas.records import Agent, LogEntry, TaskLogs, TimerFired, UserMessage
from streams.session.context import Context
from streams.session.decide import agent_wanted
from streams.session.decide.user_message import REJECTED_CONTENT_BYTES, TITLE_CHARS
from streams.session.event import EventRecord, time_of
from streams.session.payload_text import read_payload
from streams.session.payloads import (
    CommandIgnored,
    MessageReceived,
    MessageRejected,
    Payload,
    RunCancelled,
    RunQueued,
    RunStarted,
    SessionConfigured,
    SessionCreated,
)
from streams.session.redecide import event_of
from streams.session.rules import Rules
from streams.session.sizes import first_chars, json_bytes
from streams.session.timers import timers_of

_AGENT_DOES_NOT_MATTER = frozenset({StopReason.UNKNOWN_AGENT, StopReason.WRONG_OWNER, StopReason.ARCHIVED})
"""Rejections that are the same without the agent."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the log says of the agent that a decision used; None: there was none."""

    agent: Agent | None


def timer_of(before: Context, logs: TaskLogs) -> TimerFired | None:
    """Return the timer that fired, when it is one of those that the context had set."""
    for timer in timers_of(before).values():
        if ids.timer_id(before.session_id, timer.key, timer.due_ms) == logs.cause_id:
            return TimerFired(
                id=logs.cause_id,
                session_id=before.session_id,
                kind=timer.kind,
                key=timer.key,
                due_at=time_of(timer.due_ms),
            )
    return None


def message_of(logs: TaskLogs) -> UserMessage | None:
    """Return the user's message as the log has it, with the agent and the policy that were chosen for it.

    None where the log has only its beginning, or no message.
    """
    payloads = [(entry, read_payload(entry.action, entry.payload)) for entry in logs.entries]
    created = next((payload for _, payload in payloads if isinstance(payload, SessionCreated)), None)
    said = next(
        (payload for _, payload in payloads if isinstance(payload, MessageReceived | MessageRejected)), None
    )
    if said is None:
        return None
    if isinstance(said, MessageRejected) and json_bytes(said.content) >= REJECTED_CONTENT_BYTES:
        return None
    title = None
    if created is not None and created.title != first_chars(said.content, TITLE_CHARS):
        title = created.title
    return UserMessage.model_construct(
        id=logs.cause_id,
        session_id=logs.session_id,
        user_id=said.user_id if isinstance(said, MessageRejected) else logs.user_id,
        content=said.content,
        agent_id=said.agent_id,
        title=title,
        repo_url=None if created is None else created.repo_url,
        on_busy=_policy([payload for _, payload in payloads]),
        metadata=None if isinstance(said, MessageRejected) else said.metadata,
    )


def agent_of(before: Context, logs: TaskLogs, record: EventRecord, rules: Rules) -> Known | None:
    """Return the agent that the decision used, or None where the log does not tell what it was like then."""
    wanted = agent_wanted(before, event_of(logs, record), rules)
    if wanted is None:
        return Known(None)
    for entry in logs.entries:
        known = _told(entry, read_payload(entry.action, entry.payload), wanted, logs)
        if known is not None:
            return known
    return None


def _told(entry: LogEntry, payload: Payload | None, wanted: str, logs: TaskLogs) -> Known | None:
    own_run = ids.run_id(logs.session_id, logs.cause_id)
    match payload:
        case RunStarted(configuration=text) | RunQueued(configuration=text) if entry.run_id == own_run:
            return Known(_agent(wanted, bytes(text).decode(), logs))
        case MessageRejected(stop_reason=reason) if reason in _AGENT_DOES_NOT_MATTER:
            return Known(None)
        case SessionConfigured(agent_id=agent_id) if agent_id == wanted:
            return Known(_agent(wanted, "{}", logs))
        case CommandIgnored(reason=why):
            # Other problems are found whatever the agent is like, as long as there is one.
            return Known(None if why.startswith(f"agent {wanted} ") else _agent(wanted, "{}", logs))
        case SessionCreated(agent_id=agent_id) if not _has_message(logs):
            return Known(None if agent_id is None else _agent(wanted, "{}", logs))
        case _:
            return None


def _has_message(logs: TaskLogs) -> bool:
    return any(entry.action in {Action.MESSAGE_RECEIVED, Action.MESSAGE_REJECTED} for entry in logs.entries)


def _agent(agent_id: str, configuration: str, logs: TaskLogs) -> Agent:
    return Agent(
        id=agent_id,
        name=agent_id,
        configuration=configuration,
        created_at=logs.occurred_at,
        updated_at=logs.occurred_at,
    )


def _policy(payloads: list[Payload | None]) -> BusyPolicy | None:
    for payload in payloads:
        match payload:
            case RunQueued():
                return BusyPolicy.ENQUEUE
            case RunCancelled(stop_reason=StopReason.INTERRUPTED):
                return BusyPolicy.INTERRUPT
            case RunCancelled(stop_reason=StopReason.ROLLED_BACK):
                return BusyPolicy.ROLLBACK
            case _:
                pass
    return None
