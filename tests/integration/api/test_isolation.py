"""Two users, every route, every kind of id: nobody reads, steers or even notices what is another's."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from api.app import ROUTERS
from maestro.embedded.stack import EmbeddedStack
from schemas.agent_file import AgentFile
from schemas.lists import SessionStatus
from schemas.topics import AGENTS, SESSION_COMMANDS, USER_MESSAGES
from tests.integration.api.house import LIMIT_S, House, open_house
from tests.integration.api.ownership import BODY, LINES, PATH, QUERY, Line, Place
from tests.integration.api.people import ID_OF, MALFORMED, UNKNOWN, Person
from tests.unit.api.edges import app_with

NAMED = [(method, path, place) for (method, path), line in LINES.items() for place in line.places]
NAMES = [f"{method} {path} {place.where} {place.name}" for method, path, place in NAMED]
pytestmark = pytest.mark.timeout(240)
GUARDED = [(method, path) for (method, path), line in LINES.items() if not line.is_public]


def routes() -> Iterator[tuple[str, str]]:
    """Every method and path that the application serves."""
    for context in iter_route_contexts(app_with().routes):
        for method in (context.methods or {"?"}) - {"HEAD", "OPTIONS"}:
            yield method, context.path or "?"


def test_every_route_has_an_ownership_case_and_no_case_lacks_its_route() -> None:
    served = set(routes())
    assert len(served) >= len(ROUTERS)
    assert served == LINES.keys()


@pytest.fixture(scope="module")
def people() -> tuple[Person, Person]:
    return Person("ada@matrix"), Person("bob@matrix")


@pytest.fixture(scope="module")
async def house(stack: EmbeddedStack, people: tuple[Person, Person]) -> AsyncIterator[House]:
    async with open_house(stack) as opened:
        await opened.record(*(record for person in people for record in person.records()))
        for person in people:
            _ = await opened.ground.database.execute(
                "insert into erased_sessions (session_id) values ($1)", person.erased.session_id
            )
        agents = [agent for person in people for agent in person.agents()]
        _ = await asyncio.gather(*map(opened.ground.publish, agents))
        await opened.ground.apply(AgentFile(id="assistant"))
        await opened.edge.agents.barrier(LIMIT_S)
        yield opened


async def ask(
    house: House, user_id: str | None, method: str, path: str, named: Mapping[Place, str]
) -> httpx.Response:
    """Make the request of a line with these ids; the others stand empty."""
    line = LINES[method, path]
    values = {place.name: value for place, value in named.items() if place.where == PATH}
    query = dict(line.query) | {place.name: value for place, value in named.items() if place.where == QUERY}
    body = None if line.body is None else dict(line.body)
    if body is not None:
        body |= {place.name: value for place, value in named.items() if place.where == BODY}
    async with house.client(user_id) as client:
        return await client.request(method, path.format(**values), params=query, json=body, timeout=30)


def own(line: Line, person: Person, *, but: Place | None = None) -> dict[Place, str]:
    """Ids of the person's own for all places of a line, save one."""
    return {place: person.fresh(place.kind) for place in line.places if place is not but}


def seen(answer: httpx.Response) -> str:
    return answer.text + str(answer.headers)


def without(answer: httpx.Response, identity: str) -> tuple[int, str]:
    """What an answer says, whichever id it is about."""
    return answer.status_code, answer.text.replace(identity, "…")


def empty(answer: httpx.Response) -> None:
    body = answer.json()
    assert body["sessions"] == []
    assert body["pagination"]["total_items"] == 0


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_nobody_is_answered_without_a_token(
    house: House, people: tuple[Person, Person], method: str, path: str
) -> None:
    ada, _ = people
    answer = await ask(house, None, method, path, own(LINES[method, path], ada))
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert ada.mark not in seen(answer)


@pytest.mark.parametrize(("method", "path"), [key for key in GUARDED if LINES[key].own])
@pytest.mark.parametrize("turn", [0, 1])
async def test_an_owner_is_answered_with_nothing_of_the_other(
    house: House, people: tuple[Person, Person], method: str, path: str, turn: int
) -> None:
    owner, other = people[turn], people[1 - turn]
    line = LINES[method, path]
    # Filters are left out: a list shall show all that there is.
    ids_of = {place: value for place, value in own(line, owner).items() if place.where != QUERY}
    answer = await ask(house, owner.user_id, method, path, ids_of)
    assert answer.status_code in line.own, answer.text
    assert (owner.mark in answer.text) or not line.says_mark
    assert other.mark not in seen(answer)
    assert other.user_id not in seen(answer)


@pytest.mark.parametrize(("method", "path", "place"), NAMED, ids=NAMES)
@pytest.mark.parametrize("turn", [0, 1])
async def test_another_s_id_is_answered_like_one_that_never_was(
    *, house: House, people: tuple[Person, Person], method: str, path: str, place: Place, turn: int
) -> None:
    caller, other = people[turn], people[1 - turn]
    line = LINES[method, path]
    beside = own(line, caller, but=place)

    async def answered(identity: str) -> tuple[int, str]:
        answer = await ask(house, caller.user_id, method, path, beside | {place: identity})
        assert other.mark not in seen(answer)
        assert other.user_id not in seen(answer)
        if line.foreign == 200 and answer.status_code == 200:
            empty(answer)
        return without(answer, identity)

    foreign, unknown = await answered(other.fresh(place.kind)), await answered(UNKNOWN)
    assert foreign == unknown
    assert foreign[0] == line.foreign
    if place.kind in ID_OF:
        for erased in (caller.erased, other.erased):
            assert await answered(ID_OF[place.kind](erased)) == unknown
        # An id of the caller's own, but of another kind.
        others = [kind for kind in ID_OF if kind != place.kind]
        for kind in others:
            assert await answered(caller.fresh(kind)) == unknown
    malformed, _ = await answered(MALFORMED)
    assert malformed == place.malformed


async def test_built_in_agents_are_seen_by_all_and_changed_by_nobody(house: House) -> None:
    async with house.client("ada@matrix") as client:
        shown = await client.get("/agents/assistant")
        assert (shown.status_code, shown.json()["built_in"]) == (200, True)
        for answer in (
            await client.put("/agents/assistant", json={"name": "mine now"}),
            await client.delete("/agents/assistant"),
        ):
            assert answer.status_code == 403
        assert (await client.get("/agents/assistant")).json() == shown.json()


async def test_an_erased_session_is_unknown_at_once_though_the_record_still_has_it(
    house: House, people: tuple[Person, Person]
) -> None:
    ada, _ = people
    made = ada.unused.pop()
    paths = {
        "session": made.session_id,
        "task": made.task_id,
        "tool call": made.tool_call_id,
        "run": made.run_id,
    }
    async with house.client(ada.user_id) as client:
        assert (await client.delete(f"/chat-sessions/{made.session_id}")).status_code == 204
        for (method, path), line in LINES.items():
            if len(line.places) == 1 and line.places[0].where == PATH and line.places[0].kind in paths:
                place = line.places[0]
                answer = await ask(house, ada.user_id, method, path, {place: paths[place.kind]})
                assert answer.status_code == 404, (method, path, answer.text)
        listed = await client.get("/chat-sessions/", params={"per_page": 50})
        assert made.session_id not in {each["id"] for each in listed.json()["sessions"]}
        assert listed.headers["maestro-behind"] == "true"


async def test_an_erased_session_stays_unknown_to_a_process_that_knew_whose_it_was(
    house: House, people: tuple[Person, Person]
) -> None:
    ada, _ = people
    session_id = ada.fresh("session")
    path = f"/chat-sessions/{session_id}"
    async with house.client(ada.user_id) as client:
        assert (await client.post(f"{path}/messages", json={"message": "hello"})).status_code == 202
        assert (await client.delete(path)).status_code == 204
        _ = await house.ground.database.execute(
            "insert into erased_sessions (session_id) values ($1)", session_id
        )
        assert (await client.get(path)).status_code == 404
        _ = await client.get("/chat-sessions/")
        assert (await client.post(f"{path}/messages", json={"message": "hello"})).status_code == 404
        assert (await client.get(f"{path}/events")).status_code == 404


async def test_a_session_is_told_before_the_record_has_it(house: House) -> None:
    async with house.client("eve@matrix") as client:
        made = await client.post(
            "/chat-sessions/", json={"title": " Sales  of May ", "agent_id": "assistant"}
        )
        assert made.status_code == 201
        told = made.json()
        assert (told["title"], told["agent_id"], told["user_id"]) == (
            "Sales of May",
            "assistant",
            "eve@matrix",
        )
        assert (told["status"], told["state"]) == ("active", SessionStatus.ACTIVE)
        assert made.headers["location"] == f"/chat-sessions/{told['id']}"
        later = await client.get(made.headers["location"])
        assert (later.status_code, later.headers["retry-after"]) == (503, "2")


async def test_nothing_was_published_about_what_is_another_s(
    house: House, people: tuple[Person, Person]
) -> None:
    """Runs last: it looks at all that the other tests made the edge publish."""
    own_sessions = await house.ground.database.fetch("select id::text, user_id from sessions")
    owners = {row["id"]: row["user_id"] for row in own_sessions}
    steered = 0
    for message in await house.published(SESSION_COMMANDS, USER_MESSAGES):
        spec = house.ground.names.spec_of(message.topic)
        assert spec is not None
        said = house.ground.codec.decode(spec, message.value).model_dump()
        assert owners.get(said["session_id"], said["user_id"]) == said["user_id"]
        steered += said["session_id"] in owners
    assert steered > 0
    agents: dict[str, str | None] = {}
    for message in await house.published(AGENTS):
        said = house.ground.codec.decode(AGENTS, message.value).model_dump()
        assert agents.setdefault(said["id"], said["user_id"]) == said["user_id"]
    assert {person.user_id for person in people} <= set(agents.values())
