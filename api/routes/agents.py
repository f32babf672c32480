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
from api.auth.caller import CallerIs
from api.edge import Edge, EdgeIs, TraceIs
from api.pages import PagingOfSessions
from api.parameters import AgentId
from api.problems import Problem, not_found
from bus.agents_table import LOOKUP_LIMIT_S
from schemas import ids
from schemas.errors import ErrorCode
from schemas.lists import AgentStatus
from schemas.records import Agent
from telemetry.tracing import Trace

router = APIRouter(prefix="/agents", tags=["agents"])

WithStatus = Annotated[
    Standing, Query(description="Those that take runs, those that rest, or those given up.")
]


@router.get("/")
async def list_agents(
    edge: EdgeIs, caller: CallerIs, paging: PagingOfSessions, status: WithStatus = "active"
) -> AgentList:
    """List the agents that are yours or built in, by id."""
    await _catch_up(edge)
    found = [
        agent for agent in edge.agents.all() if agent.status == status and may_see(agent, caller.user_id)
    ]
    page = found[paging.offset : paging.offset + paging.per_page]
    return AgentList(agents=tuple(map(agent_detail, page)), pagination=paging.of(len(found)))


@router.post("/", status_code=HTTPStatus.CREATED)
async def create_agent(
    asked: NewAgent, edge: EdgeIs, caller: CallerIs, trace: TraceIs, response: Response
) -> AgentDetail:
    """Make an agent of yours; nobody else may use it."""
    agent = new_agent(asked, identity=ids.new_id(), user_id=caller.user_id, now=datetime.now(UTC))
    await _publish(edge, agent, trace)
    response.headers["Location"] = f"/agents/{agent.id}"
    return agent_detail(agent)


@router.get("/{agent_id}")
async def get_agent(agent_id: AgentId, edge: EdgeIs, caller: CallerIs) -> AgentDetail:
    """Look at an agent that is yours or built in."""
    return agent_detail(await _visible(edge, caller.user_id, agent_id))


@router.put("/{agent_id}")
async def change_agent(
    agent_id: AgentId, asked: AgentChange, edge: EdgeIs, caller: CallerIs, trace: TraceIs
) -> AgentDetail:
    """Change an agent of yours. Runs that were accepted before keep the configuration that they had."""
    agent = changed_agent(await _own(edge, caller.user_id, agent_id), asked, now=datetime.now(UTC))
    await _publish(edge, agent, trace)
    return agent_detail(agent)


@router.delete("/{agent_id}", status_code=HTTPStatus.NO_CONTENT)
async def retire_agent(agent_id: AgentId, edge: EdgeIs, caller: CallerIs, trace: TraceIs) -> Response:
    """Retire an agent of yours: it takes no new runs, and what it did stays readable."""
    agent = await _own(edge, caller.user_id, agent_id)
    if agent.status is not AgentStatus.RETIRED:
        retired = changed_agent(agent, AgentChange(status="retired"), now=datetime.now(UTC))
        await _publish(edge, retired, trace)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _visible(edge: Edge, user_id: str, agent_id: str) -> Agent:
    await _catch_up(edge)
    agent = edge.agents.known(agent_id)
    if agent is None or not may_see(agent, user_id):
        raise not_found("agent", agent_id)
    return agent


async def _own(edge: Edge, user_id: str, agent_id: str) -> Agent:
    agent = await _visible(edge, user_id, agent_id)
    if agent.user_id is None:
        detail = f"agent {agent_id} is built in, and nobody changes it here; make one of your own"
        raise Problem(HTTPStatus.FORBIDDEN, ErrorCode.WRONG_OWNER, detail)
    return agent


async def _catch_up(edge: Edge) -> None:
    # Agents are read from their topic, not from the record: what any replica published is in memory then.
    await edge.agents.barrier(LOOKUP_LIMIT_S)


async def _publish(edge: Edge, agent: Agent, trace: Trace) -> None:
    _ = await edge.publisher.publish(agent, trace=trace)
