"""`/agents/`: the agents that a caller may use, and those of the caller's own to make, change and retire.

An agent's id is made here, so that no request can hit or probe an id that somebody else has. `PUT` and
`DELETE` reach the caller's own agents only; another user's id is answered like one that never was.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.agent_shapes import (
    AgentChange,
    AgentDetail,
    AgentList,
    NewAgent,
    Standing,
    agent_detail,
    changed_agent,
    may_see,
    new_agent,
)
from api.edge import TraceIs
from api.pages import PagingOfSessions
from api.parameters import AgentId
from api.problems import Problem, not_found
from api.reach import Reach, ReachIs, catch_up_on_agents
from schemas import ids
from schemas.errors import ErrorCode, TransientError
from schemas.lists import AgentStatus
from schemas.records import Agent
from telemetry.logs import logger
from telemetry.tracing import Trace

router = APIRouter(prefix="/agents", tags=["agents"])

_log = logger(__name__)

WithStatus = Annotated[
    Standing, Query(description="Those that take runs, those that rest, or those given up.")
]


@router.get("/")
async def list_agents(reach: ReachIs, paging: PagingOfSessions, status: WithStatus = "active") -> AgentList:
    """List the agents that are yours or built in, by id."""
    try:
        await catch_up_on_agents(reach)
    except TransientError:
        reach.say_behind()
    agents, user_id = reach.edge.agents.all(), reach.caller.user_id
    found = [agent for agent in agents if agent.status == status and may_see(agent, user_id)]
    page = found[paging.offset : paging.offset + paging.per_page]
    return AgentList(agents=tuple(map(agent_detail, page)), pagination=paging.of(len(found)))


@router.post("/", status_code=HTTPStatus.CREATED)
async def create_agent(asked: NewAgent, reach: ReachIs, trace: TraceIs) -> AgentDetail:
    """Make an agent of yours; nobody else may use it."""
    agent = new_agent(asked, identity=ids.new_id(), user_id=reach.caller.user_id, now=datetime.now(UTC))
    await _publish(reach, agent, trace)
    reach.response.headers["Location"] = f"/agents/{agent.id}"
    return agent_detail(agent)


@router.get("/{agent_id}")
async def get_agent(agent_id: AgentId, reach: ReachIs) -> AgentDetail:
    """Look at an agent that is yours or built in."""
    return agent_detail(await _visible(reach, agent_id))


@router.put("/{agent_id}")
async def change_agent(agent_id: AgentId, asked: AgentChange, reach: ReachIs, trace: TraceIs) -> AgentDetail:
    """Change an agent of yours. Runs that were accepted before keep the configuration that they had."""
    agent = changed_agent(await _own(reach, agent_id), asked, now=datetime.now(UTC))
    await _publish(reach, agent, trace)
    return agent_detail(agent)


@router.delete("/{agent_id}", status_code=HTTPStatus.NO_CONTENT)
async def retire_agent(agent_id: AgentId, reach: ReachIs, trace: TraceIs) -> Response:
    """Retire an agent of yours: it takes no new runs, and what it did stays readable."""
    agent = await _own(reach, agent_id)
    if agent.status is not AgentStatus.RETIRED:
        retired = changed_agent(agent, AgentChange(status="retired"), now=datetime.now(UTC))
        await _publish(reach, retired, trace)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _visible(reach: Reach, agent_id: str) -> Agent:
    await catch_up_on_agents(reach)
    agent = reach.edge.agents.known(agent_id)
    if agent is None or not may_see(agent, reach.caller.user_id):
        raise not_found("agent", agent_id)
    return agent


async def _own(reach: Reach, agent_id: str) -> Agent:
    agent = await _visible(reach, agent_id)
    if agent.user_id is None:
        detail = f"agent {agent_id} is built in, and nobody changes it here; make one of your own"
        raise Problem(HTTPStatus.FORBIDDEN, ErrorCode.WRONG_OWNER, detail)
    return agent


async def _publish(reach: Reach, agent: Agent, trace: Trace) -> None:
    edge = reach.edge
    delivery = await edge.publisher.publish(agent, trace=trace)
    try:
        await edge.redis.note_agent(
            reach.caller.user_id,
            delivery.partition,
            delivery.offset,
            keep_s=edge.settings.own_write_keep_s,
        )
    except TransientError as error:
        # While Redis is away the broker is asked where the topic ends.
        _log.warning("agent_not_noted", agent_id=agent.id, error=error.message)
