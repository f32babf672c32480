"""The prompt of a model call: what the context says, in the chat shape that models read."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import orjson
from msgspec import Struct

from schemas.agent_file import AgentConfiguration, Planning
from schemas.lists import Purpose, Role
from streams.session.configurations import read_configuration
from streams.session.context import ActiveRun, Context, Message, NoteKind

Chat = dict[str, Any]

PLAN_FIRST = "Before you call tools, say in a sentence or two how you will proceed."
PLAN_ONLY = (
    "Make a plan before anything else: in a few short steps, how you will answer the newest message, and with"
    " which of these tools: {tools}. Write the plan only: nothing can be called yet, the answer comes later."
)
REFLECT_ON_RESULTS = (
    "Look back at the newest tool results: what do they show, what went wrong, what follows from it? Write a"
    " few sentences for yourself. Nothing can be called now, and the answer comes later."
)
REFLECT_ON_DRAFT = (
    "Check your draft of the answer against the question and the tool results: is it right, complete, clear?"
    " Write for yourself what to change, or that it is good. The final answer comes later."
)
ANSWER_FINALLY = (
    "Write the final answer now, with what you found when you checked your draft. Nothing can be called now."
)
ANSWER_AT_LAST = (
    "The budget of this run is used up, and nothing can be called any more. Answer with what you have, and"
    " say what is missing."
)
NOT_ANSWERED = "The call did not answer: nobody waits for it any more."

_TITLES = {
    NoteKind.PLAN: "Your plan for the newest message",
    NoteKind.REFLECTION: "Your notes on the way",
    NoteKind.DRAFT: "Your draft of the answer",
}


class Prompt(Struct, frozen=True, kw_only=True, gc=False):
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
    tools, parameters = _offered(run.configuration)
    chat = chat_messages(context.messages)
    chat.insert(0, system_message(context, run, configuration, purpose))
    return Prompt(
        model_name=configuration.model,
        messages=orjson.dumps(chat).decode(),
        tools=tools if offers_tools(run, purpose, configuration) else "[]",
        parameters=parameters,
    )


@lru_cache(maxsize=512)
def _offered(text: str) -> tuple[str, str]:
    """Return the tools and the parameters that requests name, of a configuration's text."""
    configuration = read_configuration(text)
    parameters = {
        "fallback_models": configuration.fallback_models,
        "max_output_tokens": configuration.max_output_tokens,
        "temperature": configuration.temperature,
    }
    return orjson.dumps(configuration.tools).decode(), orjson.dumps(parameters).decode()


def offers_tools(run: ActiveRun, purpose: Purpose | None, configuration: AgentConfiguration) -> bool:
    """Return whether the model may call tools in a generation of that purpose."""
    if run.over is not None or purpose is Purpose.REFLECT or run.note(NoteKind.DRAFT) is not None:
        return False
    return purpose is not Purpose.PLAN or configuration.planning is not Planning.EXPLICIT


def system_message(
    context: Context, run: ActiveRun, configuration: AgentConfiguration, purpose: Purpose
) -> Chat:
    """Return the agent's system prompt with what the session and the run know besides the messages."""
    parts = [configuration.system_prompt]
    if context.project_context != "{}":
        parts.append(f"Project: {context.project_context}")
    if context.working_directory:
        parts.append(f"Working directory: {context.working_directory}")
    if context.preferences != "{}":
        parts.append(f"The user's preferences: {context.preferences}")
    if context.context_summary:
        parts.append(f"Earlier in this conversation:\n{context.context_summary}")
    if run.notes:
        parts.extend(_noted(run))
    instruction = _instruction(run, configuration, purpose)
    if instruction is not None:
        parts.append(instruction)
    return {"role": Role.SYSTEM, "content": "\n\n".join(parts)}


def _noted(run: ActiveRun) -> Iterator[str]:
    # Notes are no chat messages: some providers take a conversation that ends with the model's own words for
    # the beginning of its answer.
    for kind, title in _TITLES.items():
        texts = [note.text for note in run.notes if note.kind is kind]
        if texts:
            yield f"{title}:\n" + "\n".join(texts)


def _instruction(run: ActiveRun, configuration: AgentConfiguration, purpose: Purpose) -> str | None:
    if run.over is not None:
        return ANSWER_AT_LAST
    has_draft = run.note(NoteKind.DRAFT) is not None
    if purpose is Purpose.REFLECT:
        return REFLECT_ON_DRAFT if has_draft else REFLECT_ON_RESULTS
    if purpose is Purpose.PLAN:
        return _plan_instruction(configuration)
    return ANSWER_FINALLY if has_draft else None


def _plan_instruction(configuration: AgentConfiguration) -> str | None:
    if configuration.planning is Planning.EXPLICIT:
        return PLAN_ONLY.format(tools=", ".join(configuration.tools) or "none")
    return PLAN_FIRST if configuration.planning is Planning.INLINE and configuration.tools else None


def chat_messages(messages: tuple[Message, ...]) -> list[Chat]:
    """Return `messages` as chat messages: each call followed by its result, in the order of the calls."""
    # Written out in one function: a long conversation has hundreds of messages, and each prompt has them all.
    results = {message.tool_call_id: message.content for message in messages if message.tool_call_id}
    chat: list[Chat] = []
    add, roles = chat.append, _ROLES
    for message in messages:
        role, calls = message.role, message.calls
        if role is Role.TOOL:
            continue
        if not calls:
            add({"role": roles[role], "content": message.content})
            continue
        asked = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
        add({"role": roles[role], "content": message.content, "tool_calls": asked})
        # Providers refuse a conversation in which a call has no answer.
        for call in calls:
            result = results.get(call.id, NOT_ANSWERED)
            add({"role": "tool", "tool_call_id": call.id, "content": result})
    return chat


_ROLES = {role: role.value for role in Role}
"""Plain texts: orjson writes them quicker than members of a list."""
