"""The tool `save_document`: keeps a text as a document of the session, once however often it is repeated."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from schemas.errors import PoisonError
from schemas.ids import document_id
from schemas.lists import EffectClass
from schemas.records import Document, Record
from streams.execute.tool import Tool, ToolContext, ToolError, tool
from telemetry.tracing import Trace, derived, parse

MAX_CONTENT_CHARS: Final = 200_000
_MAX_METADATA_BYTES: Final = 10_000


class Publish(Protocol):
    """The way to the topic of documents."""

    async def publish(self, record: Record, *, trace: Trace, partition: int | None = None) -> Any:
        """Send a record and wait for the broker's acknowledgement. Raises PoisonError, TransientError."""
        ...


class SaveDocumentArguments(BaseModel):
    """What to keep."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, max_length=300, description="What lists show.")
    content: str = Field(min_length=1, max_length=MAX_CONTENT_CHARS, description="The text.")
    content_type: str = Field(
        default="text/plain", pattern=r"^[a-z]+/[a-z0-9.+-]{1,60}$", description="Media type of the text."
    )
    source_url: str | None = Field(default=None, max_length=2_000, description="Where the text came from.")
    metadata: dict[str, JsonValue] = Field(default_factory=dict, description="Anything to keep beside it.")


def save_document_tool(
    publisher: Publish | None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Tool:
    """Return the tool that publishes with `publisher`; None: it says that nothing can be kept."""

    @tool(effect=EffectClass.IDEMPOTENT, name="save_document", time_limit_s=60)
    async def save_document(arguments: SaveDocumentArguments, context: ToolContext) -> dict[str, Any]:
        """Save a text as a document of this conversation, so that it can be found and read later."""
        if publisher is None:
            message = "documents cannot be saved from here"
            raise ToolError(message)
        document = document_of(arguments, context, now())
        try:
            _ = await publisher.publish(document, trace=_trace_of(context))
        except PoisonError as error:
            message = f"the document cannot be saved: {error.message}"
            raise ToolError(message) from error
        return {"document_id": document.id, "title": document.title, "characters": len(document.content)}

    return save_document


def document_of(arguments: SaveDocumentArguments, context: ToolContext, now: datetime) -> Document:
    """Return the record; its id follows from the step, so that a repetition is the same document.

    Raises:
        ToolError: the metadata is too large.

    """
    metadata = orjson.dumps(arguments.metadata)
    if len(metadata) > _MAX_METADATA_BYTES:
        message = f"the metadata has {len(metadata)} bytes; at most {_MAX_METADATA_BYTES} are allowed"
        raise ToolError(message)
    return Document(
        id=document_id(context.step_id),
        session_id=context.session_id,
        user_id=context.user_id,
        agent_id=context.agent_id,
        title=arguments.title,
        content=arguments.content,
        content_type=arguments.content_type,
        source_url=arguments.source_url,
        metadata=metadata.decode(),
        created_at=now,
    )


def _trace_of(context: ToolContext) -> Trace:
    return parse([("traceparent", context.traceparent.encode())]) or derived(context.step_id)
