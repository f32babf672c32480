"""Which file decides about which event."""

from typing import assert_never

from schemas.records import Agent, Generation, SessionCommand, TimerFired, ToolResult, UserMessage
from streams.session.context import Context
from streams.session.decide.command import agent_of_command, decide_command
from streams.session.decide.decision import Decision
from streams.session.decide.generation import decide_generation
from streams.session.decide.timer import decide_timer
from streams.session.decide.tool_result import decide_tool_result
from streams.session.decide.user_message import agent_of_message, decide_user_message
from streams.session.draft import Draft
from streams.session.event import Event
from streams.session.rules import Rules


def agent_wanted(context: Context, event: Event, rules: Rules) -> str | None:
    """Return the id of the agent that deciding about `event` needs, or None when it needs none."""
    match event.record:
        case UserMessage() as message:
            return agent_of_message(context, message, rules)
        case SessionCommand() as command:
            return agent_of_command(command)
        case TimerFired() | Generation() | ToolResult():
            return None


def decide(context: Context, event: Event, agent: Agent | None, rules: Rules) -> tuple[Draft, ...]:
    """Return what `event` makes happen, as drafts of log entries; nothing when there is nothing to do.

    `context` is the session's before the event, which was not applied yet; an erased one does nothing any
    more. `agent` is the one that `agent_wanted` named, None when it does not exist. Never raises for what a
    message, a model or a tool says: that becomes a typed outcome.
    """
    if context.erased:
        return ()
    decision = Decision(context, event, rules)
    match event.record:
        case UserMessage() as message:
            decide_user_message(decision, message, agent)
        case SessionCommand() as command:
            decide_command(decision, command, agent)
        case TimerFired() as timer:
            decide_timer(decision, timer)
        case Generation() as generation:
            decide_generation(decision, generation)
        case ToolResult() as result:
            decide_tool_result(decision, result)
        case _:
            assert_never(event.record)
    return decision.drafts
