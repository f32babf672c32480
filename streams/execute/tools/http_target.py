"""Which URLs a tool may ask: read strictly, so that what was checked is what is asked. Pure."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from schemas.errors import ErrorCode
from streams.execute.host_patterns import LABEL
from streams.execute.tool import ToolError
from streams.execute.tools.http_addresses import parsed

MAX_URL_CHARS: Final = 4_000
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\]|\s")
_NAME: Final = re.compile(rf"{LABEL}(\.{LABEL})*")
_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_NAME_CHARS: Final = 253
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL in its parts. `host` is lower case, without brackets and final dot; `path` has the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The URL to ask, without fragment."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def refused(message: str) -> ToolError:
    """Return the error for what may not be asked."""
    return ToolError(message, code=ErrorCode.INVALID_ARGUMENTS)


def target_of(url: str, *, ports: frozenset[int]) -> Target:
    """Return the parts of an absolute http or https URL; `ports` are those that may be asked.

    Raises:
        ToolError: it may not be asked; the message says why.

    """
    if len(url) > MAX_URL_CHARS:
        message = f"the URL has {len(url)} characters; at most {MAX_URL_CHARS} are allowed"
        raise refused(message)
    if _FORBIDDEN.search(url):
        message = "the URL holds spaces, control characters or backslashes"
        raise refused(message)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        message = f"the URL cannot be read: {error}"
        raise refused(message) from error
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS:
        message = "only http and https URLs can be fetched"
        raise refused(message)
    if "@" in parts.netloc:
        message = "the URL must not hold a user name or password"
        raise refused(message)
    chosen = DEFAULT_PORTS[scheme] if port is None else port
    if chosen not in ports:
        message = f"port {chosen} may not be asked"
        raise refused(message)
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    query = f"?{quote(parts.query, safe=_PATH_SAFE + '?')}" if parts.query else ""
    return Target(scheme=scheme, host=_host(parts.netloc), port=chosen, path=path + query)


def redirected(current: Target, location: str, *, ports: frozenset[int]) -> Target:
    """Return where a redirection leads, checked like any URL.

    Raises:
        ToolError: it may not be asked, or it leads from https to http.

    """
    if _FORBIDDEN.search(location):
        message = "the redirection holds spaces, control characters or backslashes"
        raise refused(message)
    try:
        joined = urljoin(current.url, location)
    except ValueError as error:
        message = f"the redirection cannot be read: {error}"
        raise refused(message) from error
    target = target_of(joined, ports=ports)
    if current.scheme == "https" and target.scheme == "http":
        message = "the redirection leads from https to http"
        raise refused(message)
    return target


def _host(netloc: str) -> str:
    text = netloc.lower()
    if text.startswith("["):
        literal, _, rest = text[1:].partition("]")
        address = parsed(literal)
        if (
            not isinstance(address, IPv6Address)
            or address.scope_id is not None
            or rest.strip("0123456789") not in {"", ":"}
        ):
            message = "the URL's address in brackets is no plain IPv6 address"
            raise refused(message)
        return str(address)
    name = text.partition(":")[0].removesuffix(".")
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME_CHARS:
        message = f"{name!r} is no host name; write international names in their xn-- form"
        raise refused(message)
    # Resolvers read 127.1, 0x7f.0.0.1 and 2130706433 as addresses: only the plain spelling is let through.
    if _NUMERIC_LABEL.fullmatch(name.rpartition(".")[2]) and (
        parsed(name) is None or str(parsed(name)) != name
    ):
        message = f"{name!r} is an address in an odd spelling"
        raise refused(message)
    return name
