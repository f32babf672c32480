"""The tool `search_conversation`: what was said before, in this session or in all of the user's own."""

from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import TransientError
from schemas.lists import EffectClass
from stores.postgres.conversation_search import Found
from streams.execute.tool import Tool, ToolContext, ToolError, tool


class Conversations(Protocol):
    """Messages in the record."""

    async def search(
        self,
        words: str,
        *,
        user_id: str,
        session_id: str,
        not_run_id: str,
        everywhere: bool,
        limit: int,
    ) -> list[Found]:
        """Return the user's best messages. Raises TransientError."""
        ...


class SearchConversationArguments(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(
        min_length=1, max_length=500, description="Words to look for; best are few and rare ones."
    )
    scope: Literal["session", "all_sessions"] = Field(
        default="session", description="This conversation only, or all conversations of the same user."
    )
    limit: int = Field(default=5, ge=1, le=20, description="Most messages to return.")


def search_conversation_tool(conversations: Conversations | None) -> Tool:
    """Return the tool on `conversations`; None: it says that there is no record."""

    @tool(effect=EffectClass.PURE, name="search_conversation", time_limit_s=15, pool="record")
    async def search_conversation(
        arguments: SearchConversationArguments, context: ToolContext
    ) -> dict[str, Any]:
        """Search earlier messages of this conversation, or of all conversations of the same user, for words.

        Returns the best messages with the words around them. Only the newest 2,000 messages are searched.
        """
        if conversations is None:
            message = "the record of conversations is not reachable from here"
            raise ToolError(message)
        try:
            found = await conversations.search(
                arguments.query,
                user_id=context.user_id,
                session_id=context.session_id,
                not_run_id=context.run_id,
                everywhere=arguments.scope == "all_sessions",
                limit=arguments.limit,
            )
        except TransientError as error:
            message = "the record of conversations cannot be reached now"
            raise ToolError(message) from error
        return {"count": len(found), "messages": [_shown(each, context) for each in found]}

    return search_conversation


def _shown(found: Found, context: ToolContext) -> dict[str, Any]:
    return {
        "role": found.role,
        "said_at": found.said_at.isoformat(timespec="seconds"),
        "this_conversation": found.session_id == context.session_id,
        "session_id": found.session_id,
        "number": found.sequence_order,
        "has_all_words": found.has_all,
        "text": found.snippet,
    }
