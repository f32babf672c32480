"""Somebody asks something of a session other than an answer."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from schemas.fields import JsonInput, Name, Text
from schemas.lists import Action, CommandKind, StopReason
from schemas.records import Agent, SessionCommand
from streams.session.context import ActiveRun, Pending, StepKind
from streams.session.decide import person
from streams.session.decide.decision import Decision
from streams.session.decide.user_message import TITLE_CHARS, usable_agent
from streams.session.payloads import CommandIgnored, SessionConfigured, SessionCreated, SessionErased
from streams.session.sizes import cut, first_chars

REASON_BYTES = person.REASON_BYTES
MAX_VALUE_BYTES = 8_192
"""Largest value of a session: each travels in every context and in every session record."""


class CommandValues(BaseModel):
    """What the payload of `create` and `configure` may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Text | None = None
    agent_id: Name | None = None
    repo_url: Annotated[Text, Field(max_length=MAX_VALUE_BYTES)] | None = None
    ttl_seconds: Annotated[int, Field(ge=1)] | None = None
    metadata: Annotated[JsonInput, Field(max_length=MAX_VALUE_BYTES)] | None = None
    project_context: Annotated[JsonInput, Field(max_length=MAX_VALUE_BYTES)] | None = None
    preferences: Annotated[JsonInput, Field(max_length=MAX_VALUE_BYTES)] | None = None
    working_directory: Annotated[Text, Field(max_length=MAX_VALUE_BYTES)] | None = None


def agent_of_command(command: SessionCommand) -> str | None:
    """Return the agent that the command names for the session, or None."""
    if command.kind not in {CommandKind.CREATE, CommandKind.CONFIGURE} or not command.payload:
        return None
    payload: JsonValue = orjson.loads(command.payload)
    agent_id = payload.get("agent_id") if isinstance(payload, dict) else None
    return agent_id if isinstance(agent_id, str) and agent_id else None


def decide_command(decision: Decision, command: SessionCommand, agent: Agent | None) -> None:
    """Draft what a command makes happen. One that has no effect any more is logged and ignored."""
    context = decision.context
    if command.kind is CommandKind.CREATE:
        _create(decision, command, agent)
    elif context.is_new:
        return  # There is no session whose log could say anything.
    elif command.user_id != context.user_id:
        _ignore(decision, command, "the session belongs to somebody else")
    elif command.kind is CommandKind.CONFIGURE:
        _configure(decision, command, agent)
    else:
        act = _ACTS.get(command.kind)
        if act is None:
            _ignore(decision, command, f"nothing in this session waits for {command.kind.value}")
        else:
            act(decision, command)


def _create(decision: Decision, command: SessionCommand, agent: Agent | None) -> None:
    context = decision.context
    if not context.is_new:
        _ignore(decision, command, "the session exists already")
        return
    values, problem = _values(command)
    usable = usable_agent(agent, user_id=command.user_id, session_id=context.session_id)
    decision.log(
        Action.SESSION_CREATED,
        SessionCreated(
            user_id=command.user_id,
            agent_id=None if usable is None else usable.id,
            title=first_chars(values.title or "New session", TITLE_CHARS),
            repo_url=values.repo_url,
            ttl_s=decision.rules.allowed_ttl_s(values.ttl_seconds),
            idle_s=decision.rules.idle_s,
        ),
    )
    if values.agent_id is not None and usable is None:
        problem = f"agent {values.agent_id} does not exist, is not active or is not theirs"
    if problem is not None:
        _ignore(decision, command, problem)
    kept = SessionConfigured(
        metadata=values.metadata,
        project_context=values.project_context,
        preferences=values.preferences,
        working_directory=values.working_directory,
    )
    if kept != SessionConfigured():
        decision.log(Action.SESSION_CONFIGURED, kept)


def _configure(decision: Decision, command: SessionCommand, agent: Agent | None) -> None:
    values, problem = _values(command)
    usable = usable_agent(agent, user_id=command.user_id, session_id=decision.context.session_id)
    if values.agent_id is not None and usable is None:
        problem = f"agent {values.agent_id} does not exist, is not active or is not theirs"
    elif values.repo_url is not None:
        problem = "repo_url is set when the session is created, and never again"
    if problem is not None:
        _ignore(decision, command, problem)
        return
    decision.log(
        Action.SESSION_CONFIGURED,
        SessionConfigured(
            title=None if values.title is None else first_chars(values.title, TITLE_CHARS),
            agent_id=values.agent_id,
            ttl_s=None if values.ttl_seconds is None else decision.rules.allowed_ttl_s(values.ttl_seconds),
            metadata=values.metadata,
            project_context=values.project_context,
            preferences=values.preferences,
            working_directory=values.working_directory,
        ),
    )


def _values(command: SessionCommand) -> tuple[CommandValues, str | None]:
    try:
        return CommandValues.model_validate_json(command.payload or "{}"), None
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the payload'}: {problem['msg']}"
            for problem in error.errors(include_url=False)
        )
        return CommandValues(), problems


def _end_run(decision: Decision, command: SessionCommand) -> None:
    context = decision.context
    reason = _REASONS[command.kind]
    said = cut(command.reason or f"the user asked to {command.kind.value} it", REASON_BYTES)
    if context.run is not None and context.run.id == command.run_id:
        decision.cancel(context.run.id, reason, said)
        decision.start_next()
    elif any(run.id == command.run_id for run in context.queue):
        decision.cancel(command.run_id or "", reason, said)
    elif command.run_id is None:
        _ignore(decision, command, "it names no run; put the run's id into run_id")
    else:
        _ignore(decision, command, "the run is not active any more")


def _approve(decision: Decision, command: SessionCommand) -> None:
    asked = _asked(decision, command)
    if asked is not None:
        run, step = asked
        person.approve(decision, run, step, user_id=command.user_id, reason=command.reason)


def _deny(decision: Decision, command: SessionCommand) -> None:
    asked = _asked(decision, command)
    if asked is not None:
        run, step = asked
        reason = command.reason or f"{command.user_id} denied it"
        person.deny(decision, run, step, user_id=command.user_id, reason=reason)


def _asked(decision: Decision, command: SessionCommand) -> tuple[ActiveRun, Pending] | None:
    """Return the call that a person was asked about; ignore a command that names no such call."""
    run = decision.context.run
    step = decision.context.awaits(command.step_id or "")
    if command.step_id is None:
        _ignore(decision, command, "it names no tool call; put the call's id into step_id")
    elif run is None or step is None or step.kind is not StepKind.APPROVAL:
        _ignore(decision, command, "nobody is asked about this call, or not any more")
    elif command.run_id not in {None, run.id}:
        _ignore(decision, command, "the call belongs to another run than it names")
    else:
        return run, step
    return None


def _archive(decision: Decision, command: SessionCommand) -> None:
    if decision.context.archived:
        _ignore(decision, command, "the session is archived already")
    else:
        decision.log(Action.SESSION_ARCHIVED)


def _unarchive(decision: Decision, command: SessionCommand) -> None:
    if decision.context.archived:
        decision.log(Action.SESSION_UNARCHIVED)
    else:
        _ignore(decision, command, "the session is not archived")


def _erase(decision: Decision, command: SessionCommand) -> None:
    """End what is open, so that whoever waits for it is told, and leave nothing else."""
    context = decision.context
    for run in (*([context.run] if context.run else []), *context.queue):
        decision.cancel(run.id, StopReason.ERASED, "its session was erased")
    decision.log(Action.SESSION_ERASED, SessionErased(user_id=command.user_id))


def _ignore(decision: Decision, command: SessionCommand, reason: str) -> None:
    decision.log(
        Action.COMMAND_IGNORED,
        CommandIgnored(kind=command.kind.value, user_id=command.user_id, reason=cut(reason, REASON_BYTES)),
        run_id=command.run_id,
        success=False,
    )


_REASONS: Mapping[CommandKind, StopReason] = MappingProxyType(
    {
        CommandKind.CANCEL: StopReason.CANCELLED,
        CommandKind.INTERRUPT: StopReason.INTERRUPTED,
        CommandKind.ROLLBACK: StopReason.ROLLED_BACK,
    }
)

_ACTS: Mapping[CommandKind, Callable[[Decision, SessionCommand], None]] = MappingProxyType(
    {
        CommandKind.CANCEL: _end_run,
        CommandKind.INTERRUPT: _end_run,
        CommandKind.ROLLBACK: _end_run,
        CommandKind.APPROVE: _approve,
        CommandKind.DENY: _deny,
        CommandKind.ARCHIVE: _archive,
        CommandKind.UNARCHIVE: _unarchive,
        CommandKind.ERASE: _erase,
    }
)
