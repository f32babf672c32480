"""`/agents/{id}/run`, `/runs/{id}` and what belongs to them: messages become runs, and runs are looked at."""

import asyncio
from http import HTTPStatus
from time import monotonic
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request
from pydantic import Field

from api.accepting import check_agent, check_session, check_size
from api.auth.caller import Caller
from api.edge import Edge, TraceIs
from api.idempotency import Identity, Named, identified, request_hash
from api.pages import PagingOfSessions
from api.parameters import AgentId, Left, RunId, SessionId
from api.problems import Problem, not_found, unavailable
from api.publishing import publish_command
from api.reach import Reach, ReachIs
from api.run_shapes import (
    Cancellation,
    NewMessage,
    NewRun,
    RunAnswer,
    RunList,
    run_answer,
    run_to_be,
)
from api.running import publish, run_message
from schemas import ids
from schemas.errors import ErrorCode, TransientError
from schemas.lists import CommandKind
from schemas.records import Run, SessionCommand, UserMessage

router = APIRouter(tags=["runs"])

IdempotencyKey = Annotated[
    Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")] | Left,
    Header(
        alias="Idempotency-Key",
        description="A name of your own for this request: sent again with it, it is the same run.",
        examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
    ),
]
_ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    HTTPStatus.ACCEPTED.value: {
        "model": RunAnswer,
        "description": "The run goes on; look at `Location`, or watch the session's events.",
    }
}
_LOG_PAUSE_S: Final = 0.02


@router.post("/agents/{agent_id}/run", responses=_ACCEPTED)
async def run_agent(
    *,
    agent_id: AgentId,
    asked: NewRun,
    reach: ReachIs,
    trace: TraceIs,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> RunAnswer:
    """Let an agent answer a message, and wait for it. A run that failed is an answer too: see `error`."""
    edge, caller = reach.edge, reach.caller
    wait_s = _wait_s(edge, asked.wait_seconds)
    check_size(edge, asked.message)
    await check_agent(reach, agent_id)
    if asked.session_id is not None:
        await check_session(reach, asked.session_id)
    named = Named(key=idempotency_key, client_message_id=asked.client_message_id)
    identity = await _identified(edge, caller, named, asked.session_id, "run", agent_id, asked.message)
    message = UserMessage(
        id=identity.message_id,
        session_id=identity.session_id,
        user_id=caller.user_id,
        content=asked.message,
        agent_id=agent_id,
    )
    outcome = await run_message(
        edge, caller, identity, message, wait_s=wait_s, trace=trace, receive=request.receive
    )
    if not outcome.has_ended:
        _look_at(reach, identity.run_id)
    if outcome.run is None:
        return _to_be(identity, agent_id)
    return run_answer(outcome.run)


@router.post("/chat-sessions/{session_id}/messages", status_code=HTTPStatus.ACCEPTED)
async def send_message(
    *,
    session_id: SessionId,
    asked: NewMessage,
    reach: ReachIs,
    trace: TraceIs,
    idempotency_key: IdempotencyKey = None,
) -> RunAnswer:
    """Say something to a session of yours; its agent answers in a run that you can look at or watch."""
    edge, caller = reach.edge, reach.caller
    check_size(edge, asked.message)
    await check_session(reach, session_id)
    named = Named(key=idempotency_key, client_message_id=asked.client_message_id)
    identity = await _identified(edge, caller, named, session_id, "message", asked.message)
    message = UserMessage(
        id=identity.message_id, session_id=session_id, user_id=caller.user_id, content=asked.message
    )
    await publish(edge, caller, identity, message, trace=trace)
    _look_at(reach, identity.run_id)
    return _to_be(identity, None)


@router.get("/runs/{run_id}")
async def get_run(run_id: RunId, reach: ReachIs) -> RunAnswer:
    """Look at a run of yours."""
    return await _run(reach, run_id)


@router.post("/runs/{run_id}/cancel", responses=_ACCEPTED)
async def cancel_run(
    *,
    run_id: RunId,
    reach: ReachIs,
    trace: TraceIs,
    asked: Cancellation | Left = None,
) -> RunAnswer:
    """Cancel a run of yours, queued, running or waiting; one that has ended is told as it ended."""
    run = await _run(reach, run_id)
    if run.status.is_terminal:
        return run
    command = SessionCommand(
        id=ids.new_id(),
        session_id=run.session_id,
        user_id=reach.caller.user_id,
        kind=CommandKind.CANCEL,
        run_id=run_id,
        reason=None if asked is None else asked.reason,
    )
    await publish_command(reach.edge, reach.caller, command, trace=trace)
    _look_at(reach, run_id)
    return run


@router.get("/chat-sessions/{session_id}/runs")
async def list_runs(session_id: SessionId, reach: ReachIs, paging: PagingOfSessions) -> RunList:
    """List the runs of a session of yours, the newest first."""
    session = await reach.session(session_id)
    rows, total = await reach.edge.web.runs(
        reach.caller.user_id, session.id, page=paging.page, per_page=paging.per_page
    )
    return RunList(runs=tuple(map(run_answer, rows)), pagination=paging.of(total))


async def _run(reach: Reach, run_id: str) -> RunAnswer:
    is_seen, session_id = await _caught_up(reach, run_id)
    run = await _recorded(reach, run_id)
    if run is not None and not run.status.is_terminal:
        # A command of the caller's may have changed it.
        _ = await reach.catch_up(run.session_id)
        run = await _recorded(reach, run_id)
    if run is not None:
        if run.session_id in reach.erased():
            raise not_found("run", run_id)
        return run_answer(run)
    if session_id is None or is_seen:
        raise not_found("run", run_id)
    # Its message is kept, and the record does not have it yet.
    return run_to_be(run_id, session_id, message_id=None, agent_id=None)


async def _caught_up(reach: Reach, run_id: str) -> tuple[bool, str | None]:
    try:
        own_writes = reach.edge.live.own_writes
        is_seen, session_id = await own_writes.run_seen(reach.caller.user_id, run_id, reach.writes)
    except TransientError:
        # Without Redis nobody knows what was written; the record can be read all the same.
        is_seen, session_id = False, None
    if not is_seen:
        reach.say_behind()
    return is_seen, session_id


async def _recorded(reach: Reach, run_id: str) -> Run | None:
    """Return the newest accepted state of a run, None where there is no such run.

    Raises:
        Problem: 503; the record has a state of it, and not the log that accepts that.

    """
    web, user_id = reach.edge.web, reach.caller.user_id
    until_s = monotonic() + reach.edge.settings.read_wait_s
    while True:
        run = await web.run(user_id, run_id)
        if run is not None or not await web.has_run(user_id, run_id):
            return run
        if monotonic() >= until_s:
            raise unavailable(f"the newest state of run {run_id} is on its way; try again in a moment")
        await asyncio.sleep(_LOG_PAUSE_S)


async def _identified(
    edge: Edge, caller: Caller, named: Named, session_id: str | None, *request: str
) -> Identity:
    return await identified(
        edge.redis,
        caller.user_id,
        named,
        session_id,
        hashed=request_hash(session_id, *request),
        keep_s=edge.settings.idempotency_keep_s,
    )


def _wait_s(edge: Edge, wanted: float | None) -> float:
    settings = edge.settings
    if wanted is None:
        return settings.run_wait_s
    if wanted > settings.run_wait_limit_s:
        detail = f"wait_seconds may be at most {settings.run_wait_limit_s:g}; ask for less, and look again"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, ErrorCode.INVALID, detail)
    return wanted


def _look_at(reach: Reach, run_id: str) -> None:
    reach.response.status_code = HTTPStatus.ACCEPTED
    reach.response.headers["Location"] = f"/runs/{run_id}"


def _to_be(identity: Identity, agent_id: str | None) -> RunAnswer:
    return run_to_be(identity.run_id, identity.session_id, message_id=identity.message_id, agent_id=agent_id)
