"""A message over HTTP comes to one run, however often it is sent, and whoever is killed."""

import asyncio
from contextlib import suppress

import httpx

from tests.e2e.edge.conftest import Edges
from tests.fleet.replica import replica
from tests.fleet.runs import reading_runs

SLOW = "take 4 seconds, please"


async def test_a_run_is_waited_for_and_told_whole(edges: Edges) -> None:
    async with edges.one.client() as client, edges.other.client() as elsewhere:
        answer = await client.post("/agents/teller/run", json={"message": "hello"})
        run = answer.json()
        assert answer.status_code == httpx.codes.OK, answer.text
        assert (run["status"], run["stop_reason"]) == ("completed", "answered")
        assert run["output"] == "You said: hello"
        assert run["usage"]["generations"] == 1
        assert run["usage"]["total_tokens"] > 0
        assert (await elsewhere.get(f"/runs/{run['run_id']}")).json() == run
        listed = (await elsewhere.get(f"/chat-sessions/{run['session_id']}/runs")).json()
        assert listed["runs"] == [run]
        again = {"message": "and again", "session_id": run["session_id"]}
        second = (await elsewhere.post("/agents/teller/run", json=again)).json()
        assert second["session_id"] == run["session_id"]
        assert second["run_id"] != run["run_id"]


async def test_a_run_without_an_answer_says_why(edges: Edges) -> None:
    async with edges.one.client() as client:
        answer = await client.post("/agents/teller/run", json={"message": "fail"})
        assert answer.status_code == httpx.codes.OK
        assert answer.json()["status"] == "failed"
        assert answer.json()["error"]["code"] == "model_authentication"


async def test_the_same_request_is_the_same_run_on_any_replica(edges: Edges) -> None:
    async with edges.one.client() as client, edges.other.client() as elsewhere:
        body, headers = {"message": "once"}, {"Idempotency-Key": "key-1"}
        doors = [client, elsewhere, client, elsewhere]
        answers = await asyncio.gather(
            *(door.post("/agents/teller/run", json=body, headers=headers) for door in doors)
        )
        assert {answer.json()["run_id"] for answer in answers} == {answers[0].json()["run_id"]}
        assert {answer.json()["output"] for answer in answers} == {"You said: once"}
        other = await elsewhere.post("/agents/teller/run", json={"message": "twice"}, headers=headers)
        assert other.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        named = [
            (await door.post("/agents/teller/run", json={**body, "client_message_id": "m1"})).json()
            for door in doors[:2]
        ]
        assert named[0] == named[1]
        async with edges.other.client("bob") as bob:
            his = (await bob.post("/agents/teller/run", json=body, headers=headers)).json()
        assert his["run_id"] != answers[0].json()["run_id"]


async def test_a_retry_after_a_kill_is_the_same_run(edges: Edges) -> None:
    async with (
        replica(edges.fleet, edges.logs, name="api-killed-mid-wait") as dying,
        edges.other.client() as client,
        reading_runs(edges.fleet) as runs,
    ):
        body, headers = {"message": SLOW}, {"Idempotency-Key": "killed-1"}
        async with dying.client() as victim:
            waiting = asyncio.create_task(victim.post("/agents/teller/run", json=body, headers=headers))
            await asyncio.sleep(1)
            dying.kill()
            with suppress(httpx.TransportError):
                await waiting
        answer = await client.post("/agents/teller/run", json=body, headers=headers)
        assert answer.status_code == httpx.codes.OK, answer.text
        assert answer.json()["output"] == "That took a while."
        again = await client.post("/agents/teller/run", json=body, headers=headers)
        assert again.json() == answer.json()
        await runs.wait([answer.json()["message_id"]], within_s=30)
        session_id = answer.json()["session_id"]
        assert sum(run.session_id == session_id for run in runs.ended.values()) == 1


async def test_who_does_not_wait_is_told_where_to_look(edges: Edges) -> None:
    async with edges.one.client() as client, edges.other.client() as elsewhere:
        answer = await client.post("/agents/teller/run", json={"message": SLOW, "wait_seconds": 0.5})
        assert answer.status_code == httpx.codes.ACCEPTED
        place = answer.headers["location"]
        seen = await elsewhere.get(place)
        assert seen.json()["status"] in {"queued", "running"}
        cancelled = await elsewhere.post(f"{place}/cancel", json={"reason": "never mind"})
        assert cancelled.status_code == httpx.codes.ACCEPTED
        assert (await client.get(place)).json()["status"] == "cancelled", "one's own command is seen"
        ended = await client.post(f"{place}/cancel")
        assert ended.status_code == httpx.codes.OK
        assert ended.json()["status"] == "cancelled"


async def test_leaving_does_not_cancel_the_run(edges: Edges) -> None:
    async with edges.one.client() as client:
        named = {"message": SLOW, "client_message_id": "left-1"}
        with suppress(httpx.ReadTimeout):
            await client.post("/agents/teller/run", json=named, timeout=1)
        answer = await client.post("/agents/teller/run", json=named)
        assert answer.json()["status"] == "completed"


async def test_a_busy_session_refuses_and_names_the_run_that_it_works_on(edges: Edges) -> None:
    async with edges.one.client() as client:
        first = (await client.post("/agents/strict/run", json={"message": SLOW, "wait_seconds": 0})).json()
        body = {"message": "me too", "session_id": first["session_id"]}
        busy = await client.post("/agents/strict/run", json=body)
        assert busy.status_code == httpx.codes.CONFLICT
        assert busy.headers["content-type"] == "application/problem+json"
        assert (busy.json()["code"], busy.json()["running_run_id"]) == ("busy", first["run_id"])


async def test_nobody_else_s_session_takes_a_message(edges: Edges) -> None:
    async with edges.one.client() as client, edges.one.client("mallory") as mallory:
        run = (await client.post("/agents/teller/run", json={"message": "hello"})).json()
        body = {"message": "mine now", "session_id": run["session_id"]}
        assert (await mallory.post("/agents/teller/run", json=body)).status_code == httpx.codes.NOT_FOUND
        path = f"/chat-sessions/{run['session_id']}"
        answers = [
            await mallory.post(f"{path}/messages", json={"message": "mine now"}),
            await mallory.get(f"{path}/events"),
            await mallory.get(f"/runs/{run['run_id']}"),
            await mallory.post(f"/runs/{run['run_id']}/cancel"),
        ]
        assert {answer.status_code for answer in answers} == {httpx.codes.NOT_FOUND}
        listed = (await client.get(f"{path}/runs")).json()
        assert [each["run_id"] for each in listed["runs"]] == [run["run_id"]]


async def test_a_user_has_only_so_many_runs_under_way(edges: Edges) -> None:
    limit = {"MAESTRO_API_RUNNING_RUNS": "2"}
    async with (
        replica(edges.fleet, edges.logs, name="api-limited", env=limit) as limited,
        limited.client("carol") as client,
    ):
        body = {"message": SLOW, "wait_seconds": 0}
        first = [await client.post("/agents/teller/run", json=body) for _ in range(2)]
        refused = await client.post("/agents/teller/run", json=body)
        assert refused.status_code == httpx.codes.TOO_MANY_REQUESTS
        assert int(refused.headers["retry-after"]) > 0
        for answer in first:
            await client.post(f"{answer.headers['location']}/cancel")
            assert (await client.get(answer.headers["location"])).json()["status"] == "cancelled"
        last = await client.post("/agents/teller/run", json={"message": "hello"})
        assert last.status_code == httpx.codes.OK, "those that ended unseen are counted no longer"
