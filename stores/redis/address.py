"""Where Redis is and how to log in, read from its URL; opening of the transport."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio.connection import parse_url

from schemas.errors import FatalError

P = TypeVar("P", bound=asyncio.Protocol)
DEFAULT_PORT = 6379


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server and a login. `path` is that of a unix socket; `tls` is None for plain TCP."""

    host: str
    port: int
    path: str | None
    tls: ssl.SSLContext | None
    login: tuple[tuple[bytes, ...], ...]

    def __str__(self) -> str:
        """Without the password."""
        return self.path or f"{self.host}:{self.port}"

    async def open(self, factory: Callable[[], P]) -> P:
        """Connect and return the protocol that `factory` made. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self.path is not None:
            return (await loop.create_unix_connection(factory, self.path))[1]
        return (await loop.create_connection(factory, self.host, self.port, ssl=self.tls))[1]


def address_of(url: str) -> Address:
    """Read a redis://, rediss:// or unix:// URL. Raises FatalError for any other."""
    try:
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError as error:
        message = f"REDIS_URL cannot be read: {error}"
        raise FatalError(message) from error
    login: list[tuple[bytes, ...]] = []
    if options.get("password"):
        user = (options["username"].encode(),) if options.get("username") else ()
        login.append((b"AUTH", *user, options["password"].encode()))
    if options.get("db"):
        login.append((b"SELECT", b"%d" % int(options["db"])))
    login.append((b"CLIENT", b"SETNAME", b"maestro"))
    return Address(
        host=options.get("host", "127.0.0.1"),
        port=int(options.get("port", DEFAULT_PORT)),
        path=options.get("path"),
        tls=_tls(options) if url.startswith("rediss:") else None,
        login=tuple(login),
    )


def _tls(options: dict[str, Any]) -> ssl.SSLContext:
    """Make the TLS context; the query part of the URL takes the client library's usual names (ssl_…)."""
    try:
        context = ssl.create_default_context(
            cafile=options.get("ssl_ca_certs"), capath=options.get("ssl_ca_path")
        )
        if options.get("ssl_certfile"):
            context.load_cert_chain(
                options["ssl_certfile"], options.get("ssl_keyfile"), options.get("ssl_password")
            )
    except OSError as error:
        message = f"The certificates named in REDIS_URL cannot be read: {error}"
        raise FatalError(message) from error
    verify = str(options.get("ssl_cert_reqs", "required"))
    if verify == "none" or str(options.get("ssl_check_hostname", "true")).lower() in {"false", "0", "no"}:
        context.check_hostname = False
    if verify == "none":
        context.verify_mode = ssl.CERT_NONE
    return context
