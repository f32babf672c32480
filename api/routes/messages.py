"""`GET /chat-sessions/{id}/messages`: a conversation, by pages or from a place on."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.edge import EdgeIs
from api.pages import Paging, PerPageOfMessages, within
from api.parameters import MOST_PAGES, Left, SessionId
from api.problems import Problem
from api.reach import Reach, ReachIs
from api.shapes import Cursor, MessageList, MessageSlice, message_item, session_info
from schemas.errors import ErrorCode
from stores.postgres.web_rows import SessionDetail

router = APIRouter(prefix="/chat-sessions", tags=["messages"])

_UNPROCESSABLE = 422
_LAST_PLACE = 2**31 - 1

Page = Annotated[
    Annotated[int, Field(ge=1, le=MOST_PAGES)] | Left,
    Query(description="Number of the page, from 1, the default."),
]
After = Annotated[
    Annotated[int, Field(ge=0, le=_LAST_PLACE)] | Left,
    Query(
        description="Give the entries with a greater `sequence_order` than this, instead of a page.",
    ),
]


@router.get("/{session_id}/messages")
async def list_messages(
    *,
    session_id: SessionId,
    reach: ReachIs,
    edge: EdgeIs,
    page: Page = None,
    per_page: PerPageOfMessages = None,
    after: After = None,
    limit: PerPageOfMessages = None,
) -> MessageList | MessageSlice:
    """Read a conversation, the oldest entry first: pages with `page` and `per_page`, or `after` and `limit`.

    New entries shift no page and come after every cursor, so that reading on misses none.
    """
    by_place = after is not None or limit is not None
    if by_place and (page is not None or per_page is not None):
        detail = "page and per_page exclude after and limit: name one pair"
        raise Problem(_UNPROCESSABLE, ErrorCode.INVALID, detail)
    limits = edge.settings
    usual, most = limits.default_messages_per_page, limits.max_messages_per_page
    if by_place:
        wanted = within("limit", limit, usual=usual, most=most)
        return await _after(reach, await reach.session(session_id), after or 0, wanted)
    paging = Paging(page or 1, within("per_page", per_page, usual=usual, most=most))
    return await _page(reach, await reach.session(session_id), paging)


async def _page(reach: Reach, session: SessionDetail, paging: Paging) -> MessageList:
    rows, total = await reach.edge.web.messages(
        reach.caller.user_id, session.id, page=paging.page, per_page=paging.per_page
    )
    return MessageList(
        messages=tuple(map(message_item, rows)),
        pagination=paging.of(total),
        session_info=session_info(session),
    )


async def _after(reach: Reach, session: SessionDetail, after: int, limit: int) -> MessageSlice:
    rows = await reach.edge.web.messages_after(reach.caller.user_id, session.id, after=after, limit=limit + 1)
    given = rows[:limit]
    return MessageSlice(
        messages=tuple(map(message_item, given)),
        cursor=Cursor(
            after=given[-1].sequence_order if given else after, limit=limit, has_more=len(rows) > limit
        ),
        session_info=session_info(session),
    )
