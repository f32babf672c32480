"""`save_document`: the same step saves the same document, however often it is repeated."""

from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from bus.codec import Codec
from schemas.errors import PoisonError
from schemas.examples import BORN
from schemas.records import Document, Record
from schemas.topics import DOCUMENTS, MAX_VALUE_BYTES
from streams.execute.tool import ToolContext, ToolError
from streams.execute.tools.save_document import (
    MAX_CONTENT_CHARS,
    SaveDocumentArguments,
    document_of,
    save_document_tool,
)
from telemetry.tracing import Trace, derived

CONTEXT = ToolContext(
    session_id="01980000-0000-7000-8000-000000000001",
    user_id="alice",
    run_id="01980000-0000-7000-8000-000000000002",
    step_id="step",
    agent_id="analyst",
    traceparent=derived("x").traceparent,
)


@dataclass
class FakePublisher:
    """Keeps what is published."""

    refuses: bool = False
    published: list[tuple[Document, str]] = field(default_factory=list[tuple[Document, str]])

    async def publish(self, record: Record, *, trace: Trace, partition: int | None = None) -> Any:
        assert partition is None
        if self.refuses:
            message = "too large"
            raise PoisonError(message)
        assert isinstance(record, Document)
        self.published.append((record, trace.trace_id))


def arguments(**changes: Any) -> SaveDocumentArguments:
    return SaveDocumentArguments.model_validate({"title": "Notes", "content": "text", **changes})


async def test_a_repetition_is_the_same_document_of_the_callers_session() -> None:
    publisher = FakePublisher()
    tool = save_document_tool(publisher, now=lambda: BORN)
    one = await tool(arguments(metadata={"a": [1]}), CONTEXT)
    other = await tool(arguments(metadata={"a": [1]}), CONTEXT)
    (first, trace), (second, _) = publisher.published
    assert one == other == {"document_id": first.id, "title": "Notes", "characters": 4}
    assert first == second
    assert (first.session_id, first.user_id, first.agent_id) == (CONTEXT.session_id, "alice", "analyst")
    assert orjson.loads(first.metadata) == {"a": [1]}
    assert trace == derived("x").trace_id


def test_another_step_saves_another_document() -> None:
    other = ToolContext(session_id=CONTEXT.session_id, user_id="alice", run_id="r", step_id="other")
    assert document_of(arguments(), CONTEXT, BORN).id != document_of(arguments(), other, BORN).id


@pytest.mark.parametrize("character", ["a", "\u00e9", "\U0001f6a2", "\0"])
def test_the_largest_document_fits_a_message(character: str) -> None:
    document = document_of(
        arguments(title="t" * 300, content=character * MAX_CONTENT_CHARS, metadata={"x": "y" * 9_000}),
        CONTEXT,
        BORN,
    )
    value = Codec().encode(document)
    assert len(value) <= MAX_VALUE_BYTES
    assert Codec().decode(DOCUMENTS, value) == document


@pytest.mark.parametrize(
    "changes",
    [
        {"title": ""},
        {"content": ""},
        {"content": "x" * (MAX_CONTENT_CHARS + 1)},
        {"content_type": "nonsense"},
        {"owner": "bob"},
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _ = arguments(**changes)


async def test_what_cannot_be_saved_is_told() -> None:
    with pytest.raises(ToolError, match="metadata has"):
        _ = document_of(arguments(metadata={"x": "y" * 11_000}), CONTEXT, BORN)
    with pytest.raises(ToolError, match="too large"):
        _ = await save_document_tool(FakePublisher(refuses=True))(arguments(), CONTEXT)
    with pytest.raises(ToolError, match="cannot be saved from here"):
        _ = await save_document_tool(None)(arguments(), CONTEXT)
