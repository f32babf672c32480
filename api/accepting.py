"""Whether a caller's message may be published: to which agent, to which session, and how many run already."""

from http import HTTPStatus
from typing import Final

from api.agent_shapes import may_see
from api.auth.claims import Caller
from api.edge import Edge
from api.problems import Problem, not_found, too_many
from api.reach import Reach, catch_up_on_agents
from schemas.errors import ErrorCode, TransientError
from schemas.lists import AgentStatus
from schemas.records import Agent
from telemetry.logs import logger

_RETRY_AFTER_S: Final = 5

_log = logger(__name__)


def check_size(edge: Edge, message: str) -> None:
    """Refuse a message that is too long. Raises Problem: 413."""
    most = edge.settings.max_message_bytes
    size = len(message.encode())
    if size > most:
        detail = f"the message has {size} bytes, {most} are allowed; send less, or send it in parts"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ErrorCode.TOO_LARGE, detail)


async def check_agent(reach: Reach, agent_id: str) -> Agent:
    """Return an agent; refuse one that is not the caller's, not built in, or takes no runs.

    Raises:
        Problem: 404, or 409 for one that takes no runs.
        TransientError: it cannot be known now.

    """
    await catch_up_on_agents(reach)
    agent = await reach.edge.agents.get(agent_id)
    if agent is None or not may_see(agent, reach.caller.user_id):
        detail = f"there is no agent {agent_id} for you; GET /agents/ lists those that there are"
        raise Problem(HTTPStatus.NOT_FOUND, ErrorCode.UNKNOWN_AGENT, detail)
    if agent.status is not AgentStatus.ACTIVE:
        detail = f"agent {agent_id} is {agent.status}, so it takes no new runs; name another one"
        raise Problem(HTTPStatus.CONFLICT, ErrorCode.UNKNOWN_AGENT, detail)
    return agent


async def check_session(reach: Reach, session_id: str) -> None:
    """Refuse a session that is not the caller's, or that they have erased.

    Raises:
        Problem: 404.
        TransientError: it cannot be known now.

    """
    edge, user_id = reach.edge, reach.caller.user_id
    owners = edge.live.owners
    # Where nobody knows what they have erased, the record is asked.
    if reach.arrived is not None:
        if session_id in reach.arrived.erased:
            raise not_found("session", session_id)
        if owners.is_known(session_id, user_id) or await _is_noted(reach, session_id):
            owners.learn(session_id, user_id)
            return
    if await edge.web.session(user_id, session_id) is None:
        raise not_found("session", session_id)
    owners.learn(session_id, user_id)


async def _is_noted(reach: Reach, session_id: str) -> bool:
    """Whether the caller has written to a session lately, which makes it theirs before it is recorded."""
    writes = reach.writes
    if writes is None:
        try:
            writes = await reach.edge.redis.writes(reach.caller.user_id)
        except TransientError:
            return False
    return any(write.session_id == session_id for write in writes)


async def count_run(edge: Edge, caller: Caller, run_id: str) -> None:
    """Count a run among those of the caller that are under way.

    Where Redis is away nothing is counted: the limit protects, and what it protects works without it.

    Raises:
        Problem: 429, too many are.
        TransientError: the record cannot be asked which have ended.

    """
    settings = edge.settings
    limits = {"most": settings.running_runs, "keep_s": settings.running_run_keep_s}
    try:
        if await edge.redis.begin_run(caller.user_id, run_id, **limits):
            return
        await _forget_ended(edge, caller)
        if await edge.redis.begin_run(caller.user_id, run_id, **limits):
            return
    except TransientError as error:
        _log.warning("runs_not_counted", error=error.message)
        return
    detail = f"{settings.running_runs} runs of yours are under way; come again when one has ended"
    raise too_many(detail, retry_after_s=_RETRY_AFTER_S)


async def end_run(edge: Edge, caller: Caller, run_id: str) -> None:
    """Count a run no longer."""
    try:
        await edge.redis.end_run(caller.user_id, run_id)
    except TransientError as error:
        _log.warning("runs_not_counted", error=error.message)


async def _forget_ended(edge: Edge, caller: Caller) -> None:
    # Nobody may have been waiting for their ends: the waiter left, or its process died.
    for run_id in await edge.redis.running(caller.user_id):
        run = await edge.web.run(caller.user_id, run_id)
        if run is not None and run.status.is_terminal:
            await edge.redis.end_run(caller.user_id, run_id)
