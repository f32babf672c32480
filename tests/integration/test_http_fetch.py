"""`http_fetch` against servers of this machine that behave well and badly, under names of the internet."""

import asyncio
import gzip
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ErrorCode
from streams.execute.settings import HttpToolSettings
from streams.execute.tool import ToolContext, ToolError
from streams.execute.tools.http_fetch import HttpFetchArguments, Reach, http_fetch_tool

CONTEXT = ToolContext(session_id="s", user_id="u", run_id="r", step_id="t")
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server on loopback that answers each request head as told, and remembers the heads."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.answer: Answer = plain("hello")
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            await self.answer(head, writer)
        writer.close()

    async def fetch(self, path: str = "/", *, host: str = "example.org", **settings: Any) -> dict[str, Any]:
        """Fetch from the server under a name, as if loopback were the internet."""
        return await self.fetch_url(f"http://{host}:{self.port}{path}", **settings)

    async def fetch_url(
        self,
        url: str,
        *,
        addresses: Sequence[str] = ("127.0.0.1",),
        limit_bytes: int = 100_000,
        **settings: Any,
    ) -> dict[str, Any]:
        """Fetch a URL."""

        async def resolved(_host: str, _port: int) -> Sequence[str]:
            return addresses

        hosts = settings.pop("hosts", ("example.org", "*.example.net"))
        tool = http_fetch_tool(
            HttpToolSettings(allowed_hosts=hosts, **{"time_limit_s": 5, **settings}),
            result_limit_bytes=limit_bytes,
            reach=Reach(
                resolve=resolved,
                permits=lambda address: address == ip_address("127.0.0.1"),
                ports=frozenset({self.port}),
            ),
        )
        answer: dict[str, Any] = await tool(HttpFetchArguments(url=url), CONTEXT)
        return answer

    async def refusal(self, path: str = "/", **settings: Any) -> ToolError:
        """Fetch what must be refused."""
        with pytest.raises(ToolError) as refused:
            _ = await self.fetch(path, **settings)
        return refused.value


def raw(*parts: bytes) -> Answer:
    """Answer with bytes as they are."""

    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return answer


def head_of(*headers: str, status: str = "200 OK") -> bytes:
    """Return a response's head."""
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode()


def plain(text: str, *headers: str, status: str = "200 OK") -> Answer:
    """Answer with plain text."""
    body = text.encode()
    names = ("Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(body)}", *headers)
    return raw(head_of(*names, status=status) + body)


def to(location: str, status: str = "302 Found") -> Answer:
    """Answer with a redirection."""
    return raw(head_of(f"Location: {location}", "Content-Length: 0", status=status))


def endless(head: bytes, piece: bytes) -> Answer:
    """Answer with a head and one piece again and again."""

    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()

    return answer


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()


async def test_a_text_comes_back_with_its_status(server: Server) -> None:
    answer = await server.fetch("/a?b=c#d")
    assert answer == {
        "url": f"http://example.org:{server.port}/a?b=c",
        "status": 200,
        "content_type": "text/plain; charset=utf-8",
        "text": "hello",
        "truncated": False,
    }
    head = server.heads[0].decode().lower()
    assert head.startswith("get /a?b=c http/1.1\r\n")
    assert f"host: example.org:{server.port}\r\n" in head
    assert "authorization" not in head
    assert "cookie" not in head


async def test_a_name_is_resolved_once_and_the_checked_address_is_asked(server: Server) -> None:
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ("127.0.0.1",) if len(asked) == 1 else ("10.0.0.1",)

    tool = http_fetch_tool(
        HttpToolSettings(allowed_hosts=("example.org",), time_limit_s=5),
        result_limit_bytes=1_000,
        reach=Reach(resolve=rebinding, permits=lambda each: each.is_loopback, ports=frozenset({server.port})),
    )
    answer = await tool(HttpFetchArguments(url=f"http://example.org:{server.port}/"), CONTEXT)
    assert (answer["text"], asked) == ("hello", ["example.org"])


async def test_an_error_page_is_an_answer(server: Server) -> None:
    server.answer = plain("not here", status="404 Not Found")
    answer = await server.fetch()
    assert (answer["status"], answer["text"]) == (404, "not here")


async def test_redirections_are_followed_and_cookies_are_not_kept(server: Server) -> None:
    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        if head.startswith(b"GET /start"):
            location = f"http://www.example.net:{server.port}/end"
            writer.write(
                head_of(f"Location: {location}", "Set-Cookie: a=b", "Content-Length: 0", status="307 x")
            )
        else:
            await plain("there")(head, writer)

    server.answer = answer
    found = await server.fetch("/start")
    assert (found["text"], found["url"]) == ("there", f"http://www.example.net:{server.port}/end")
    assert b"cookie" not in server.heads[1].lower()
    assert f"host: www.example.net:{server.port}".encode() in server.heads[1].lower()


ATTACKS: list[tuple[str, Answer, str]] = [
    ("redirection to a host that is not allowed", to("http://evil.example/"), "may not be asked"),
    ("redirection to the metadata service", to("http://169.254.169.254/"), "may not be asked"),
    ("redirection to a file", to("file:///etc/passwd"), "only http and https"),
    ("redirection with a password", to("http://u:p@example.org/"), "user name"),
    ("redirection to another port", to("http://example.org:22/"), "port 22"),
    ("redirection to an odd address", to("//0x7f.1/"), "may not be asked"),
    ("redirection to itself for ever", to("/again"), "more than 4 redirections"),
    ("redirection to nothing", to("http://"), ""),
    ("no text", raw(head_of("Content-Type: image/png", "Content-Length: 3") + b"png"), "no text"),
    ("no type", raw(head_of("Content-Length: 3") + b"abc"), "of no type"),
    ("not HTTP", raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "usable answer"),
    ("nothing", raw(b""), "usable answer"),
    (
        "half an answer",
        raw(head_of("Content-Type: text/plain", "Content-Length: 99") + b"x"),
        "usable answer",
    ),
    (
        "two lengths",
        raw(head_of("Content-Type: text/plain", "Content-Length: 1", "Content-Length: 2") + b"xy"),
        "",
    ),
    (
        "a broken chunk",
        raw(head_of("Content-Type: text/plain", "Transfer-Encoding: chunked") + b"zz\r\n"),
        "",
    ),
    ("a header that is too long", raw(head_of("X: " + "a" * 20_000, "Content-Length: 0")), "usable answer"),
    (
        "too many headers",
        raw(head_of(*(f"X-{n}: a" for n in range(300)), "Content-Length: 0")),
        "usable answer",
    ),
    ("headers without end", endless(b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n"), "usable answer"),
    ("a header line without end", endless(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 1_000), "usable answer"),
    ("a status line without end", endless(b"HTTP/1.1 200 ", b"a" * 1_000), "usable answer"),
    ("broken gzip", plain("no gzip", "Content-Encoding: gzip"), "broken"),
    ("an encoding nobody asked for", plain("x", "Content-Encoding: br"), "not asked for"),
    ("encodings in a row", plain("x", "Content-Encoding: gzip, gzip"), "not asked for"),
]


@pytest.mark.parametrize(
    ("answer", "says"), [case[1:] for case in ATTACKS], ids=[case[0] for case in ATTACKS]
)
async def test_a_server_that_behaves_badly_is_told_on(server: Server, answer: Answer, says: str) -> None:
    server.answer = answer
    async with asyncio.timeout(4):
        error = await server.refusal()
    assert says in error.message


async def test_a_redirection_inside_is_refused_by_its_address(server: Server) -> None:
    server.answer = to(f"http://inside.example.net:{server.port}/")
    calls: list[str] = []

    async def resolved(host: str, _port: int) -> Sequence[str]:
        calls.append(host)
        return ("10.0.0.1",) if host.startswith("inside") else ("127.0.0.1",)

    tool = http_fetch_tool(
        HttpToolSettings(allowed_hosts=("*",), time_limit_s=5),
        result_limit_bytes=1_000,
        reach=Reach(resolve=resolved, permits=lambda each: each.is_loopback, ports=frozenset({server.port})),
    )
    with pytest.raises(ToolError, match="not on the public internet"):
        _ = await tool(HttpFetchArguments(url=f"http://example.org:{server.port}/"), CONTEXT)
    assert calls == ["example.org", "inside.example.net"]


ENDLESS: list[tuple[str, Answer]] = [
    ("text", endless(head_of("Content-Type: text/plain"), b"a" * 10_000)),
    (
        "chunks",
        endless(head_of("Content-Type: text/plain", "Transfer-Encoding: chunked"), b"4\r\naaaa\r\n" * 500),
    ),
    (
        "a bomb",
        raw(
            head_of("Content-Type: text/plain", "Content-Encoding: gzip"),
            gzip.compress(b"a" * 30_000_000),
        ),
    ),
]


@pytest.mark.parametrize("answer", [case[1] for case in ENDLESS], ids=[case[0] for case in ENDLESS])
async def test_more_than_the_limit_is_cut(server: Server, answer: Answer) -> None:
    server.answer = answer
    found = await server.fetch(max_bytes=20_000)
    assert (len(found["text"]), found["truncated"]) == (20_000, True)


async def test_a_result_fits_what_may_go_back_to_the_model(server: Server) -> None:
    server.answer = plain('"\\' * 20_000)
    found = await server.fetch(limit_bytes=10_000)
    assert found["truncated"]
    assert 4_000 < len(found["text"]) < 5_000


@pytest.mark.parametrize(
    "before", [b"", head_of("Content-Type: text/plain"), b"HTTP/1.1 100 Continue\r\n\r\n"]
)
async def test_a_server_that_dawdles_is_left(server: Server, before: bytes) -> None:
    gate = asyncio.Event()

    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        await writer.drain()
        await gate.wait()

    server.answer = answer
    error = await server.refusal(time_limit_s=0.2)
    gate.set()
    assert error.code is ErrorCode.TOOL_TIMEOUT


async def test_environment_variables_choose_no_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await server.fetch())["text"] == "hello"


async def test_certificates_are_checked_against_the_urls_name(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=example.org"),
        stderr=subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    with pytest.raises(ToolError, match="Certificate"):
        _ = await server.fetch_url(f"https://example.org:{server.port}/")
    listening.close()
    assert (names, server.heads) == (["example.org"], [])
