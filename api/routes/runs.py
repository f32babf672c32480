"""`/agents/{id}/run`, `/runs/{id}` and what belongs to them: messages become runs, and runs are looked at."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field

from api.accepting import check_agent, check_session, check_size
from api.auth.caller import Caller, CallerIs
from api.edge import Edge, EdgeIs, TraceIs
from api.idempotency import Identity, Named, identified, request_hash
from api.pages import PagingOfSessions
from api.parameters import AgentId, Left, RunId, SessionId
from api.problems import Problem, not_found
from api.publishing import publish_command
from api.reach import BEHIND, Reach, ReachIs
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
from schemas.records import SessionCommand, UserMessage

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


@router.post("/agents/{agent_id}/run", responses=_ACCEPTED)
async def run_agent(
    *,
    agent_id: AgentId,
    asked: NewRun,
    edge: EdgeIs,
    caller: CallerIs,
    trace: TraceIs,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> RunAnswer:
    """Let an agent answer a message, and wait for it. A run that failed is an answer too: see `error`."""
    wait_s = _wait_s(edge, asked.wait_seconds)
    check_size(edge, asked.message)
    await check_agent(edge, caller, agent_id)
    if asked.session_id is not None:
        await check_session(edge, caller, asked.session_id)
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
        _look_at(response, identity.run_id)
    if outcome.run is None:
        return _to_be(identity, agent_id)
    return run_answer(outcome.run)


@router.post("/chat-sessions/{session_id}/messages", status_code=HTTPStatus.ACCEPTED)
async def send_message(
    *,
    session_id: SessionId,
    asked: NewMessage,
    edge: EdgeIs,
    caller: CallerIs,
    trace: TraceIs,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> RunAnswer:
    """Say something to a session of yours; its agent answers in a run that you can look at or watch."""
    check_size(edge, asked.message)
    await check_session(edge, caller, session_id)
    named = Named(key=idempotency_key, client_message_id=asked.client_message_id)
    identity = await _identified(edge, caller, named, session_id, "message", asked.message)
    message = UserMessage(
        id=identity.message_id, session_id=session_id, user_id=caller.user_id, content=asked.message
    )
    await publish(edge, caller, identity, message, trace=trace)
    _look_at(response, identity.run_id)
    return _to_be(identity, None)


@router.get("/runs/{run_id}")
async def get_run(run_id: RunId, edge: EdgeIs, caller: CallerIs, response: Response) -> RunAnswer:
    """Look at a run of yours."""
    return await _run(edge, caller, run_id, response)


@router.post("/runs/{run_id}/cancel", responses=_ACCEPTED)
async def cancel_run(
    *,
    run_id: RunId,
    edge: EdgeIs,
    caller: CallerIs,
    trace: TraceIs,
    response: Response,
    asked: Cancellation | Left = None,
) -> RunAnswer:
    """Cancel a run of yours, queued, running or waiting; one that has ended is told as it ended."""
    run = await _run(edge, caller, run_id, response)
    if run.status.is_terminal:
        return run
    command = SessionCommand(
        id=ids.new_id(),
        session_id=run.session_id,
        user_id=caller.user_id,
        kind=CommandKind.CANCEL,
        run_id=run_id,
        reason=None if asked is None else asked.reason,
    )
    await publish_command(edge, caller, command, trace=trace)
    _look_at(response, run_id)
    return run


@router.get("/chat-sessions/{session_id}/runs")
async def list_runs(session_id: SessionId, reach: ReachIs, paging: PagingOfSessions) -> RunList:
    """List the runs of a session of yours, the newest first."""
    session = await reach.session(session_id)
    rows, total = await reach.edge.web.runs(
        reach.caller.user_id, session.id, page=paging.page, per_page=paging.per_page
    )
    return RunList(runs=tuple(map(run_answer, rows)), pagination=paging.of(total))


async def _run(edge: Edge, caller: Caller, run_id: str, response: Response) -> RunAnswer:
    reach = Reach(edge, caller, response)
    is_seen, session_id = await _caught_up(edge, caller, run_id)
    if not is_seen:
        response.headers[BEHIND] = "true"
    run = await edge.web.run(caller.user_id, run_id)
    if run is None or not run.status.is_terminal:
        # A command of the caller's may have changed it, or does now: no state is shown before its log.
        _ = await reach.catch_up(None if run is None else run.session_id)
        run = await edge.web.run(caller.user_id, run_id)
    if run is not None:
        if run.session_id in await reach.erased():
            raise not_found("run", run_id)
        return run_answer(run)
    if session_id is None or is_seen:
        raise not_found("run", run_id)
    # Its message is kept, and the record does not have it yet.
    return run_to_be(run_id, session_id, message_id=None, agent_id=None)


async def _caught_up(edge: Edge, caller: Caller, run_id: str) -> tuple[bool, str | None]:
    try:
        return await edge.live.own_writes.run_seen(caller.user_id, run_id)
    except TransientError:
        # Without Redis nobody knows what was written; the record can be read all the same.
        return False, None


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


def _look_at(response: Response, run_id: str) -> None:
    response.status_code = HTTPStatus.ACCEPTED
    response.headers["Location"] = f"/runs/{run_id}"


def _to_be(identity: Identity, agent_id: str | None) -> RunAnswer:
    return run_to_be(identity.run_id, identity.session_id, message_id=identity.message_id, agent_id=agent_id)
