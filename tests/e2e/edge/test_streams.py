"""What happens in a session can be watched, left, and watched on elsewhere, with nothing missing or twice."""

import asyncio
from contextlib import suppress
from typing import Any

import httpx

from schemas.partition import partition_of
from stores.redis.connection import RedisConnection
from tests.e2e.edge.conftest import PARTITIONS, Edges
from tests.fleet.replica import CALL_LIMIT_S, Replica, Sent, Watching, replica, watched, watching

STORY = "Please tell me a long story."


async def begun(client: httpx.AsyncClient, text: str, **body: Any) -> tuple[str, str]:
    """Let the teller begin; return session and run."""
    answer = await client.post("/agents/teller/run", json={"message": text, "wait_seconds": 0, **body})
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    assert answer.headers["location"] == f"/runs/{answer.json()['run_id']}"
    return answer.json()["session_id"], answer.json()["run_id"]


def told(events: list[Sent]) -> str:
    """Return the words that the last generation said, as a client shows them."""
    text, generation = "", ""
    for event in events:
        if event.name == "token":
            if event.data["generation_id"] != generation or event.data["starts_over"]:
                text, generation = "", event.data["generation_id"]
            text += event.data["text"]
    return text


async def test_an_answer_is_streamed_from_its_first_word_to_its_end(edges: Edges) -> None:
    async with edges.one.client() as client:
        session_id, run_id = await begun(client, STORY)
        events = await watched(client, session_id, run_id=run_id)
        names = [event.name for event in events]
        assert [names[0], names[-2], names[-1]] == ["run", "message", "done"]
        assert {"thought", "tool_call", "tool_result", "token"} <= set(names)
        assert names.count("token") > 5
        assert events[-1].data["status"] == "completed"
        assert told(events) == events[-2].data["content"]
        run = (await client.get(f"/runs/{run_id}")).json()
        assert run["output"] == events[-2].data["content"], "who was told of the end reads it"
        messages = (await client.get(f"/chat-sessions/{session_id}/messages")).json()["messages"]
        assert messages[-1]["content"] == run["output"]


async def test_a_stream_that_is_cut_goes_on_anywhere_with_exactly_the_rest(edges: Edges) -> None:
    async with edges.one.client() as client, edges.other.client() as elsewhere:
        session_id, run_id = await begun(client, STORY)
        parts: list[Sent] = []
        for number in range(60):
            last = parts[-1].id if parts else None
            door = (client, elsewhere)[number % 2]
            async with (
                asyncio.timeout(CALL_LIMIT_S),
                watching(door, session_id, run_id=run_id, last=last) as stream,
            ):
                async for event in stream.events():
                    parts.append(event)
                    if len(stream.seen) > number % 4:
                        break
            if parts and parts[-1].name == "done":
                break
        assert parts[-1].name == "done", "cut in sixty places and not through"
        assert parts == await watched(elsewhere, session_id, run_id=run_id)
        path = f"/chat-sessions/{session_id}/events"
        headers, params = {"Last-Event-ID": parts[-1].id}, {"run_id": run_id}
        over = await client.get(path, headers=headers, params=params)
        assert over.status_code == httpx.codes.NO_CONTENT, "nobody comes back for nothing"


async def test_what_has_expired_is_rebuilt_from_the_record(edges: Edges) -> None:
    async with edges.one.client() as client:
        session_id, run_id = await begun(client, STORY)
        kept = [event for event in await watched(client, session_id, run_id=run_id) if event.name != "token"]
        assert (await client.get(f"/runs/{run_id}")).json()["status"] == "completed"
        await forget_feed(edges, session_id)
        rebuilt = await watched(client, session_id, run_id=run_id)
        assert [(each.name, each.data) for each in rebuilt] == [(each.name, each.data) for each in kept]
        for number, event in enumerate(kept[:-1]):
            rest = await watched(client, session_id, run_id=run_id, last=event.id)
            assert [each.data for each in rest] == [each.data for each in kept[number + 1 :]]


async def test_a_killed_replica_costs_no_event(edges: Edges) -> None:
    async with replica(edges.fleet, edges.logs, name="api-killed") as dying, edges.other.client() as client:
        session_id, run_id = await begun(client, STORY)
        parts: list[Sent] = []
        async with dying.client() as victim:
            with suppress(httpx.TransportError):
                async with watching(victim, session_id, run_id=run_id) as stream:
                    async for event in stream.events():
                        parts.append(event)
                        if len(parts) == 6:
                            dying.kill()
        assert len(parts) >= 6
        assert parts[-1].name != "done"
        rest = await watched(client, session_id, run_id=run_id, last=parts[-1].id)
        assert [*parts, *rest] == await watched(client, session_id, run_id=run_id)


async def test_a_stopped_replica_ends_its_streams_in_good_order(edges: Edges) -> None:
    async with (
        replica(edges.fleet, edges.logs, name="api-stopped") as leaving,
        edges.other.client() as client,
    ):
        session_id, run_id = await begun(client, STORY)
        async with leaving.client() as visitor, watching(visitor, session_id, run_id=run_id) as stream:
            stopping = asyncio.create_task(_stop_after(3, stream, leaving))
            parts = [event async for event in stream.events()]
        await stopping
        assert leaving.process.returncode == 0
        rest = await watched(client, session_id, run_id=run_id, last=parts[-1].id)
        assert [*parts, *rest] == await watched(client, session_id, run_id=run_id)


async def test_a_session_is_watched_over_several_runs(edges: Edges) -> None:
    async with edges.one.client() as client, edges.other.client() as elsewhere:
        session_id, first = await begun(client, "hello")
        async with asyncio.timeout(CALL_LIMIT_S), watching(elsewhere, session_id) as stream:
            ended: list[str] = []
            begun_runs = [first]
            async for event in stream.events():
                if event.name == "done":
                    ended.append(event.data["run_id"])
                    if len(ended) == 2:
                        break
                    answer = await client.post(
                        f"/chat-sessions/{session_id}/messages", json={"message": "hello again"}
                    )
                    assert answer.status_code == httpx.codes.ACCEPTED
                    begun_runs.append(answer.json()["run_id"])
        assert ended == begun_runs


async def _stop_after(count: int, stream: Watching, leaving: Replica) -> None:
    async with asyncio.timeout(CALL_LIMIT_S):
        while len(stream.seen) < count:  # noqa: ASYNC110  the stream is read elsewhere
            await asyncio.sleep(0.01)
    await leaving.stop()


async def forget_feed(edges: Edges, session_id: str) -> None:
    """Let a feed expire."""
    redis = RedisConnection(edges.fleet.redis)
    await redis.start(PARTITIONS)
    try:
        key = redis.keys.feed(partition_of(session_id, PARTITIONS), session_id)
        await redis.command(b"UNLINK", key)
    finally:
        await redis.stop()
