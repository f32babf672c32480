"""What stands before the routes: sizes, rates, headers, and problems for whatever goes wrong."""

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.routing import Mount, Route

from api.app import create_app
from api.auth.caller import CallerIs
from api.edge import EdgeIs, TraceIs
from api.guards import SECURITY_HEADERS, BodyLimit, is_public
from api.problems import not_found
from schemas.errors import ErrorCode, FatalError, PoisonError, TransientError
from telemetry.logs import configure
from tests.unit.api.edges import Spending, app_with, bearer, client_of, edge_with, settings, token_of

SECRET_WORDS = "what nobody else may read"
ERRORS = {
    "transient": TransientError(SECRET_WORDS),
    "fatal": FatalError(SECRET_WORDS),
    "busy": PoisonError("the session is busy; wait", code=ErrorCode.BUSY),
    "owner": PoisonError("it is bob's", code=ErrorCode.WRONG_OWNER),
    "bug": RuntimeError(SECRET_WORDS),
    "gone": not_found("session", "7"),
}


@pytest.fixture(autouse=True)
def written() -> Iterator[io.StringIO]:
    """What is logged, as the program does it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure("info", as_json=True)
    lines = io.StringIO()
    for handler in root.handlers:
        assert isinstance(handler, logging.StreamHandler)
        _ = handler.setStream(lines)
    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Asked(BaseModel):
    """A body."""

    words: Annotated[str, Field(max_length=20)]


def served(**values: Any) -> FastAPI:
    """The application with a few routes that show what the frame does."""
    app = app_with(**values)

    @app.post("/echo")
    async def _(body: Asked, caller: CallerIs, edge: EdgeIs, trace: TraceIs) -> dict[str, str]:
        at = edge.settings.host
        return {"user": caller.user_id, "words": body.words, "trace": trace.trace_id, "at": at}

    @app.get("/fails/{how}")
    async def _(how: str) -> None:
        raise ERRORS[how]

    return app


def allowed(app: FastAPI, user_id: str = "ada") -> dict[str, str]:
    return bearer(token_of(app.state.edge.settings, user_id))


async def call(app: FastAPI, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {**allowed(app), **more.pop("headers", {})}
    async with client_of(app) as client:
        return await client.request(method, path, headers=headers, **more)


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert {"type", "title", "status", "detail", "code", "instance"} <= set(document)
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"] == f"urn:maestro:error:{code}"
    return document


async def test_a_route_knows_who_calls_and_in_which_trace() -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    answer = await call(
        served(),
        "POST",
        "/echo",
        json={"words": "hello"},
        headers={"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"},
    )
    assert answer.json() == {"user": "ada", "words": "hello", "trace": trace_id, "at": "127.0.0.1"}


async def test_what_does_not_fit_is_named_by_place_and_not_repeated() -> None:
    answer = await call(served(), "POST", "/echo", json={"words": SECRET_WORDS})
    document = assert_problem(answer, 422, "invalid")
    assert [each["at"] for each in document["errors"]] == ["body.words"]
    assert SECRET_WORDS not in answer.text


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"words": "\\ud800"}', b"[" * 10_000, b"", b"null"])
async def test_a_body_that_cannot_be_read_is_a_problem_of_the_caller(body: bytes) -> None:
    answer = await call(served(), "POST", "/echo", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    _ = assert_problem(answer, answer.status_code, "invalid")


async def test_unknown_paths_and_methods_are_problems() -> None:
    app = served()
    _ = assert_problem(await call(app, "GET", "/nowhere"), 404, "not_found")
    answer = await call(app, "DELETE", "/echo")
    _ = assert_problem(answer, 405, "invalid")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("transient", 503, "unavailable"),
        ("fatal", 500, "unknown"),
        ("busy", 409, "busy"),
        ("owner", 404, "not_found"),
        ("bug", 500, "unknown"),
        ("gone", 404, "not_found"),
    ],
)
async def test_an_error_becomes_a_problem_without_its_inside(how: str, status: int, code: str) -> None:
    answer = await call(served(), "GET", f"/fails/{how}")
    _ = assert_problem(answer, status, code)
    assert SECRET_WORDS not in answer.text
    assert "bob" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_the_log_says_the_route_and_no_content(written: io.StringIO) -> None:
    app = served()
    _ = await call(app, "GET", "/fails/bug", params={"search": "a-private-question"})
    _ = await call(app, "POST", "/echo", json={"words": "a-private-word"}, headers={"X-Request-Id": "mine-7"})
    text = written.getvalue()
    assert "/fails/{how}" in text
    assert "mine-7" in text
    assert "RuntimeError" in text
    for content in (SECRET_WORDS, "a-private", "/fails/bug", "Bearer"):
        assert content not in text


@pytest.mark.parametrize(("sent", "is_kept"), [("mine-7", True), ("a b", False), ("x" * 65, False)])
async def test_a_request_has_an_id(sent: str, is_kept: bool) -> None:
    answer = await call(served(), "GET", "/live", headers={"X-Request-Id": sent})
    assert (answer.headers["x-request-id"] == sent) == is_kept
    assert answer.headers["x-request-id"]


async def test_every_answer_has_the_security_headers() -> None:
    app = served()
    for path in ("/live", "/nowhere", "/fails/bug", "/openapi.json"):
        answer = await call(app, "GET", path)
        assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


async def _in_pieces(pieces: int) -> AsyncIterator[bytes]:
    yield b'{"words": "'
    for _ in range(pieces):
        yield b"x" * 500
    yield b'"}'


@pytest.mark.parametrize("is_announced", [True, False], ids=["with a length", "in pieces without a length"])
async def test_a_large_body_is_refused(is_announced: bool) -> None:
    app = served(max_body_bytes=1_000)
    content = b"x" * 1_001 if is_announced else _in_pieces(3)
    answer = await call(app, "POST", "/echo", content=content)
    _ = assert_problem(answer, 413, "too_large")
    assert answer.headers["connection"] == "close"


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    sent: list[Any] = []

    async def nothing_comes() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async def never(_scope: Any, _receive: Any, _send: Any) -> None:
        pytest.fail("the application was called")

    guard = BodyLimit(never, max_bytes=1_000, wait_s=0.01)
    await guard({"type": "http", "path": "/echo", "headers": []}, nothing_comes, send)
    assert sent[0]["status"] == 408


async def test_a_caller_who_leaves_before_the_body_is_there_gets_nothing_done() -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def never(*_: Any) -> None:
        pytest.fail("somebody was answered")

    guard = BodyLimit(never, max_bytes=1_000, wait_s=5)
    await guard({"type": "http", "path": "/", "headers": []}, gone, never)


@pytest.mark.parametrize(
    "more",
    [{"headers": {"X-Long": "x" * 2_000}}, {"params": {"search": "x" * 2_000}}],
    ids=["headers", "query"],
)
async def test_long_headers_are_refused(more: dict[str, Any]) -> None:
    answer = await call(served(max_header_bytes=1_500), "GET", "/live", **more)
    _ = assert_problem(answer, 431, "too_large")


async def test_who_calls_too_often_is_told_when_to_come_again_and_others_are_not_kept_waiting() -> None:
    app = served(rate_limit=2, rate_window_s=60)
    answers = [await call(app, "GET", "/nowhere") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    _ = assert_problem(answers[2], 429, "rate_limited")
    assert answers[2].headers["retry-after"] == "60"
    other = await call(app, "GET", "/nowhere", headers=allowed(app, "bob"))
    assert other.status_code == 404
    assert (await call(app, "GET", "/live")).status_code == 200


async def test_who_cannot_be_counted_is_let_in(written: io.StringIO) -> None:
    spending = Spending()
    spending.is_away = True
    app = create_app(edge_with(settings(rate_limit=1), redis=spending))
    answers = [await call(app, "GET", "/nowhere") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert written.getvalue().count("calls_not_counted") == 1


async def test_without_a_limit_nobody_is_counted() -> None:
    spending = Spending()
    app = create_app(edge_with(settings(rate_limit=0), redis=spending))
    assert (await call(app, "GET", "/nowhere")).status_code == 404
    assert spending.calls == {}


async def test_pages_of_other_origins_may_not_call_unless_set() -> None:
    ask = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "GET"}
    async with client_of(served()) as client:
        assert "access-control-allow-origin" not in (await client.options("/echo", headers=ask)).headers
    async with client_of(served(cors_origins=("https://app.example.org",))) as client:
        good = await client.options("/echo", headers=ask)
        assert (good.status_code, good.headers["access-control-allow-origin"]) == (200, ask["Origin"])
        evil = await client.options("/echo", headers={**ask, "Origin": "https://evil.example.org"})
        assert "access-control-allow-origin" not in evil.headers


def test_only_health_the_document_and_the_registry_face_are_public() -> None:
    app = app_with()
    paths = {route.path for route in app.routes if isinstance(route, Route | Mount)}
    paths |= set(app.openapi()["paths"])
    open_to_all = {path for path in paths if is_public(path)}
    assert {path for path in open_to_all if not path.startswith("/registry/")} == {
        "/live",
        "/ready",
        "/openapi.json",
    }


@pytest.mark.parametrize("path", ["/registry", "//live", "/live/", "/registryx/", "/LIVE", "/live/../runs"])
def test_what_only_looks_public_is_not(path: str) -> None:
    assert not is_public(path)
