"""What a caller reaches: sessions they did not erase, agents as they left them, runs with their logs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest
from fastapi import Response

from api.app import create_app
from api.auth.claims import Caller
from api.reach import BEHIND, Reach, catch_up_on_agents
from schemas import ids
from schemas.lists import RunStatus
from schemas.records import Run
from stores.redis.edge import Arrived, Spent
from tests.unit.api.edges import bearer, client_of, edge_with, settings, token_of

USER, SESSION, MESSAGE = "ada", ids.new_id(), ids.new_id()
RUN = ids.run_id(SESSION, MESSAGE)
SPENT = Spent(allowed=True, left=1, retry_after_s=1)


@dataclass
class Agents:
    """A table of agents that notes what is waited for."""

    waits: list[object] = field(default_factory=list[object])

    async def barrier(self, deadline_s: float) -> None:
        """Wait for all that is published."""
        assert deadline_s > 0
        self.waits.append("all")

    async def reached(self, offsets: Mapping[int, int], deadline_s: float) -> None:
        """Wait for some messages."""
        assert deadline_s > 0
        self.waits.append(offsets)


def reach_of(arrived: Arrived | None, agents: Agents) -> Reach:
    edge = replace(edge_with(settings()), agents=cast("Any", agents))
    return Reach(edge, Caller(USER), Response(), arrived)


async def test_agents_are_waited_for_as_far_as_the_caller_has_published() -> None:
    agents = Agents()
    arrived = Arrived(spent=SPENT, erased=frozenset(), agents={3: 7}, writes=())
    await catch_up_on_agents(reach_of(arrived, agents))
    assert agents.waits == [{3: 7}]


async def test_without_redis_all_agents_are_waited_for() -> None:
    agents = Agents()
    await catch_up_on_agents(reach_of(None, agents))
    assert agents.waits == ["all"]


def test_what_was_erased_is_known_from_the_arrival_or_the_answer_says_that_it_is_not() -> None:
    known = reach_of(Arrived(spent=SPENT, erased=frozenset({SESSION}), agents={}, writes=()), Agents())
    assert known.erased() == {SESSION}
    assert BEHIND not in known.response.headers
    unknown = reach_of(None, Agents())
    assert unknown.erased() == frozenset()
    assert unknown.response.headers[BEHIND] == "true"


class OwnWrites:
    """Nothing was written."""

    async def run_seen(
        self, user_id: str, run_id: str, known: Sequence[object] | None
    ) -> tuple[bool, str | None]:
        """Say that nothing of the run is noted."""
        assert (user_id, run_id, known) == (USER, RUN, ())
        return True, None

    async def seen(self, user_id: str, session_id: str | None, known: Sequence[object] | None) -> bool:
        """Say that all is there."""
        assert (user_id, session_id, known) == (USER, SESSION, ())
        return True


@dataclass
class Web:
    """A record whose accepted states of the run come one by one."""

    states: Iterator[Run | None]
    is_there: bool = True

    async def run(self, user_id: str, run_id: str) -> Run | None:
        """Return the newest accepted state."""
        assert (user_id, run_id) == (USER, RUN)
        return next(self.states)

    async def has_run(self, user_id: str, run_id: str) -> bool:
        """Whether there is any state."""
        assert (user_id, run_id) == (USER, RUN)
        return self.is_there


def a_run(status: RunStatus) -> Run:
    return Run.model_validate(
        {
            "id": RUN,
            "task_id": ids.task_id(SESSION),
            "session_id": SESSION,
            "agent_id": "assistant",
            "message_id": MESSAGE,
            "user_id": USER,
            "status": status,
            "input": "hello",
            "created_at": datetime(2026, 1, 1, tzinfo=UTC),
            "term": 1,
            "version": 6,
        }
    )


async def looked_at(web: Web, **values: Any) -> httpx.Response:
    """Ask for the run."""

    class Live:
        own_writes = OwnWrites()

    chosen = settings(**values)
    edge = replace(edge_with(chosen), web=cast("Any", web), live=cast("Any", Live()))
    async with client_of(create_app(edge)) as client:
        return await client.get(f"/runs/{RUN}", headers=bearer(token_of(chosen, USER)))


async def test_a_run_whose_state_is_recorded_before_its_log_is_waited_for() -> None:
    running, ended = a_run(RunStatus.RUNNING), a_run(RunStatus.COMPLETED)
    answer = await looked_at(Web(iter([None, None, running, None, ended])), read_wait_s=30)
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")


async def test_a_run_whose_log_does_not_come_is_not_unknown() -> None:
    answer = await looked_at(Web(iter(lambda: None, 0)), read_wait_s=0)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize("wait_s", [0, 30])
async def test_a_run_that_nobody_has_recorded_is_unknown_at_once(wait_s: float) -> None:
    answer = await looked_at(Web(iter([None]), is_there=False), read_wait_s=wait_s)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
