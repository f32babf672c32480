"""The tool `http_fetch`: reads a text from the web, and never from what only this place can reach.

The host is resolved once, every address is checked, and the connection goes to the checked addresses; names
and certificates stay those of the URL. Each redirection is a URL of its own and is checked in full.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import BaseModel, ConfigDict, Field
from yarl import URL

from schemas.errors import ErrorCode
from schemas.lists import EffectClass
from streams.execute.host_patterns import is_allowed
from streams.execute.settings import HttpToolSettings
from streams.execute.tool import Tool, ToolContext, ToolError, tool
from streams.execute.tools.http_addresses import Address, is_public, parsed
from streams.execute.tools.http_body import Body, is_text
from streams.execute.tools.http_target import DEFAULT_PORTS, MAX_URL_CHARS, Target, redirected, target_of

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_ADDRESSES: Final = 4
_MAX_LINE_BYTES: Final = 8_190
_MAX_HEADERS: Final = 100
_CHUNK_BYTES: Final = 16_384
_HEADERS: Final = {
    "User-Agent": "maestro-http-fetch",
    "Accept": "text/*, application/json, application/xml;q=0.9, */*;q=0.1",
    "Accept-Encoding": "gzip, deflate",
}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name and port to addresses in their canonical spelling. Raises OSError."""


class HttpFetchArguments(BaseModel):
    """What to read."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(min_length=1, max_length=MAX_URL_CHARS, description="An absolute http or https URL.")


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of `host`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far the tool reaches: how names become addresses, which of them and which ports may be asked."""

    resolve: Resolve = resolve
    permits: Callable[[Address], bool] = is_public
    ports: frozenset[int] = frozenset(DEFAULT_PORTS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    location: str | None
    content_type: str
    body: Body | None


def http_fetch_tool(
    settings: HttpToolSettings, *, result_limit_bytes: int, reach: Reach | None = None
) -> Tool:
    """Return the tool `http_fetch`; without allowed hosts it says that it is off."""
    fetcher = _Fetcher(settings, reach or Reach())

    @tool(effect=EffectClass.PURE, name="http_fetch", time_limit_s=settings.time_limit_s + 5, pool="http")
    async def http_fetch(arguments: HttpFetchArguments, _context: ToolContext) -> dict[str, Any]:
        """Read a web page or API answer (GET, text only) and return its status and text."""
        if not settings.allowed_hosts:
            message = "http_fetch is off: no host is allowed (MAESTRO_TOOL_HTTP_ALLOWED_HOSTS)"
            raise ToolError(message, code=ErrorCode.MISCONFIGURED)
        try:
            async with asyncio.timeout(settings.time_limit_s):
                target, answer = await fetcher.fetch(arguments.url)
        except TimeoutError as error:
            message = f"the answer took longer than {settings.time_limit_s:g} s"
            raise ToolError(message, code=ErrorCode.TOOL_TIMEOUT) from error
        text, is_cut = _fitting(answer, result_limit_bytes * 9 // 10)
        return {
            "url": target.url,
            "status": answer.status,
            "content_type": answer.content_type,
            "text": text,
            "truncated": is_cut,
        }

    return http_fetch


class _Fetcher:
    def __init__(self, settings: HttpToolSettings, reach: Reach) -> None:
        self._settings = settings
        self._reach = reach

    async def fetch(self, url: str) -> tuple[Target, _Answer]:
        """Return the last answer and where it came from. Raises ToolError."""
        target = target_of(url, ports=self._reach.ports)
        for _ in range(self._settings.redirect_limit + 1):
            addresses = await self._checked(target)
            answer = await self._asked(target, addresses)
            if answer.location is None:
                return target, answer
            target = redirected(target, answer.location, ports=self._reach.ports)
        message = f"there were more than {self._settings.redirect_limit} redirections"
        raise ToolError(message)

    async def _checked(self, target: Target) -> tuple[Address, ...]:
        if not is_allowed(target.host, self._settings.allowed_hosts):
            message = (
                f"the host {target.host} is not allowed; allowed: {', '.join(self._settings.allowed_hosts)}"
            )
            raise ToolError(message, code=ErrorCode.INVALID_ARGUMENTS)
        literal = parsed(target.host)
        try:
            texts = [target.host] if literal else await self._reach.resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            message = f"the host {target.host} has no address"
            raise ToolError(message) from error
        addresses = [parsed(text) for text in texts]
        # One address of the inside among others is enough: the name is not to be trusted.
        permitted = tuple(each for each in addresses if each is not None and self._reach.permits(each))
        if not permitted or len(permitted) < len(addresses):
            message = f"the host {target.host} is not on the public internet"
            raise ToolError(message, code=ErrorCode.INVALID_ARGUMENTS)
        return permitted[:_MAX_ADDRESSES]

    async def _asked(self, target: Target, addresses: tuple[Address, ...]) -> _Answer:
        connector = aiohttp.TCPConnector(
            resolver=_Pinned(target.host, addresses), use_dns_cache=False, force_close=True, limit=1
        )
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None),
                    auto_decompress=False,
                    trust_env=False,
                    read_bufsize=_CHUNK_BYTES,
                    max_line_size=_MAX_LINE_BYTES,
                    max_field_size=_MAX_LINE_BYTES,
                    max_headers=_MAX_HEADERS,
                ) as session,
                session.get(
                    URL(target.url, encoded=True), headers=_HEADERS, allow_redirects=False
                ) as response,
            ):
                return await self._answer(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            message = f"{target.host} did not give a usable answer ({type(error).__name__})"
            raise ToolError(message) from error

    async def _answer(self, response: aiohttp.ClientResponse) -> _Answer:
        content_type = response.headers.get("Content-Type", "")
        location = response.headers.get("Location") if response.status in _REDIRECTS else None
        if location is not None:
            return _Answer(status=response.status, location=location, content_type=content_type, body=None)
        body = Body(response.headers.get("Content-Encoding", ""), max_bytes=self._settings.max_bytes)
        if is_text(content_type):
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                if not body.add(chunk):
                    break
        elif response.status < 400:  # noqa: PLR2004 - an error's page need not be text
            message = f"the answer is no text but {content_type[:100] or 'of no type'}"
            raise ToolError(message)
        return _Answer(status=response.status, location=None, content_type=content_type[:200], body=body)


class _Pinned(AbstractResolver):
    """Knows one name and the addresses that were checked for it."""

    def __init__(self, host: str, addresses: tuple[Address, ...]) -> None:
        self._host = host
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - both families were checked
    ) -> list[ResolveResult]:
        if host != self._host:
            message = f"{host} was not checked"
            raise OSError(message)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET6 if address.version == 6 else socket.AF_INET,  # noqa: PLR2004
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None: ...


def _fitting(answer: _Answer, limit_bytes: int) -> tuple[str, bool]:
    """Return the text such that its JSON has at most `limit_bytes`, and whether something was left out."""
    if answer.body is None:
        return "", False
    text, is_cut = answer.body.text(answer.content_type), answer.body.is_cut
    while (size := len(orjson.dumps(text))) > limit_bytes:
        text, is_cut = text[: min(len(text) * limit_bytes // size, len(text) - 1)], True
    return text, is_cut
