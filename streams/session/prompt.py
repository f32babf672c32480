"""The prompt of a model call: what the context says, in the chat shape that models read."""

from dataclasses import dataclass
from typing import Any

import orjson

from schemas.agent_file import AgentConfiguration, Planning
from schemas.lists import Purpose, Role
from streams.session.configurations import read_configuration
from streams.session.context import ActiveRun, AskedCall, Context, Message

Chat = dict[str, Any]

PLAN_FIRST = "Before you call tools, say in a sentence or two how you will proceed."
NOT_ANSWERED = "The call did not answer: its run ended before."


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The JSON texts of a generation request: chat messages, tool names, parameters."""

    model_name: str
    messages: str
    tools: str
    parameters: str


def prompt(context: Context, run: ActiveRun, purpose: Purpose) -> Prompt:
    """Return what the model of `run` shall read now.

    A function of the context alone: asking again gives the same.
    """
    configuration = read_configuration(run.configuration)
    messages = [system_message(context, configuration, purpose), *chat_messages(context.messages)]
    parameters = {
        "fallback_models": configuration.fallback_models,
        "max_output_tokens": configuration.max_output_tokens,
        "temperature": configuration.temperature,
    }
    return Prompt(
        model_name=configuration.model,
        messages=orjson.dumps(messages).decode(),
        tools=orjson.dumps(configuration.tools).decode(),
        parameters=orjson.dumps(parameters).decode(),
    )


def system_message(context: Context, configuration: AgentConfiguration, purpose: Purpose) -> Chat:
    """Return the agent's system prompt with what the session knows besides its messages."""
    parts = [configuration.system_prompt]
    if purpose is Purpose.PLAN and configuration.planning is Planning.INLINE and configuration.tools:
        parts.append(PLAN_FIRST)
    if context.project_context != "{}":
        parts.append(f"Project: {context.project_context}")
    if context.working_directory:
        parts.append(f"Working directory: {context.working_directory}")
    if context.preferences != "{}":
        parts.append(f"The user's preferences: {context.preferences}")
    if context.context_summary:
        parts.append(f"Earlier in this conversation:\n{context.context_summary}")
    return {"role": Role.SYSTEM, "content": "\n\n".join(parts)}


def chat_messages(messages: tuple[Message, ...]) -> list[Chat]:
    """Return `messages` as chat messages: each call followed by its result, in the order of the calls."""
    results = {message.tool_call_id: message for message in messages if message.tool_call_id}
    chat: list[Chat] = []
    for message in messages:
        if message.role is Role.TOOL:
            continue
        if not message.calls:
            chat.append({"role": message.role, "content": message.content})
            continue
        chat.append(
            {
                "role": message.role,
                "content": message.content,
                "tool_calls": [_asked(call) for call in message.calls],
            }
        )
        chat.extend(_answered(call, results.get(call.id)) for call in message.calls)
    return chat


def _asked(call: AskedCall) -> Chat:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _answered(call: AskedCall, result: Message | None) -> Chat:
    # Providers refuse a conversation in which a call has no answer.
    content = NOT_ANSWERED if result is None else result.content
    return {"role": Role.TOOL, "tool_call_id": call.id, "content": content}
