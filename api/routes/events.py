"""`/chat-sessions/{id}/events`: what happens in a session, while it happens."""

import time
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from api.accepting import check_session
from api.auth.caller import Caller
from api.edge import Edge
from api.parameters import Left, SessionId
from api.problems import not_found, unavailable
from api.reach import ReachIs
from api.streams.ids import parse_event_id
from api.streams.response import MEDIA_TYPE, EventResponse
from api.streams.sources import Asked
from api.streams.stream import EventStream
from schemas.partition import partition_of

router = APIRouter(tags=["events"])

_UUID: Final = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_MOST_ID_CHARS: Final = 100
_EXAMPLE: Final = (
    'id: 3.0@1760000000000-0\nevent: run\ndata: {"run_id":"0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3e",'
    '"sequence":3,"at_ms":1760000000000,"status":"running","stage":"run_started"}\n\n'
)

OfRun = Annotated[
    Annotated[str, Field(pattern=_UUID)] | Left,
    Query(
        description="Only what belongs to this run of yours; the stream ends after its `done`.",
    ),
]
LastEventId = Annotated[
    str | Left,
    Header(
        alias="Last-Event-ID",
        max_length=_MOST_ID_CHARS,
        description="Id of the last event that you have; what follows it is sent.",
    ),
]
LastEventIdInQuery = Annotated[
    str | Left,
    Query(
        alias="last_event_id",
        max_length=_MOST_ID_CHARS,
        description="The same, for clients that cannot set the header, which goes first.",
    ),
]
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    HTTPStatus.OK.value: {
        "description": (
            "Server-sent events: `run`, `thought`, `plan`, `tool_call`, `tool_result`, `token`, `message`,"
            " `error` and `done`, each with a JSON object."
        ),
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    },
    HTTPStatus.NO_CONTENT.value: {"description": "You have all of the run's events: do not come back."},
}


@router.get("/chat-sessions/{session_id}/events", response_class=Response, responses=_ANSWERS)
async def stream_events(
    *,
    session_id: SessionId,
    reach: ReachIs,
    run_id: OfRun = None,
    last_event_id: LastEventId = None,
    last_event_id_in_query: LastEventIdInQuery = None,
) -> Response:
    """Watch a session of yours: what is kept of it, and then what comes. Leaving cancels nothing."""
    edge, caller = reach.edge, reach.caller
    await check_session(reach, session_id)
    if run_id is not None:
        await _check_run(edge, caller, run_id.lower())
    if edge.stopping.is_set():
        raise unavailable("this process ends; come again, and another one answers")
    if edge.live.hub.readers >= edge.settings.streams:
        raise unavailable(f"{edge.settings.streams} streams are open here; come again, or go elsewhere")
    last = last_event_id or last_event_id_in_query
    asked = Asked(
        watched=(partition_of(session_id, edge.partitions), session_id),
        user_id=caller.user_id,
        run_id=None if run_id is None else run_id.lower(),
        last=None if last is None else parse_event_id(last),
    )
    return await _answer(edge, asked)


async def _answer(edge: Edge, asked: Asked) -> Response:
    stream = await EventStream.open(edge.live.sources, asked)
    try:
        is_over = await stream.is_over()
    except BaseException:
        stream.close()
        raise
    if is_over:
        stream.close()
        return Response(status_code=HTTPStatus.NO_CONTENT)
    if edge.stopping.is_set():
        stream.end()
    return EventResponse(
        stream,
        ping_s=edge.settings.ping_s,
        now_ms=lambda: round(time.time() * 1000),
        on_end=lambda run_id: edge.live.on_end(asked.user_id, asked.watched[1], run_id),
        close=stream.close,
    )


async def _check_run(edge: Edge, caller: Caller, run_id: str) -> None:
    if await edge.live.own_writes.is_noted_run(caller.user_id, run_id):
        return
    if not await edge.web.has_run(caller.user_id, run_id):
        raise not_found("run", run_id)
