"""TCP ports for the embedded services: free ones, held against others until their services have ended."""

import errno
import random
import socket
from collections.abc import Callable, Collection, Iterable, Mapping

LOOPBACK = "127.0.0.1"
# Linux gives outgoing connections ports from 32768 up; a client that retries a dead port in that range
# can connect to itself and so keep a restarted server from listening.
LOWEST, HIGHEST = 20_000, 32_000
TRIES = 500
# The leading zero byte makes it an abstract name: no file, and the kernel frees it with the process.
HOLD_NAME = "\0maestro-port-{}"


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def hold(port: int) -> socket.socket | None:
    """Return what keeps others from holding the port until it is closed; None when somebody holds it."""
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(HOLD_NAME.format(port))
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return held


class HeldPorts:
    """The ports that this process holds for its services, from before they listen until they have ended.

    Nobody on this machine gets a port here that somebody else holds. A process that dies holds none.
    """

    def __init__(self, *, free: Callable[[int], bool] = is_free) -> None:
        self._free = free
        self._held: dict[int, socket.socket] = {}

    def take(self, port: int) -> bool:
        """Hold this port. Return False when somebody holds it or a program listens on it."""
        held = hold(port)
        if held is None:
            return False
        if not self._free(port):
            held.close()
            return False
        self._held[port] = held
        return True

    def pick(self, avoid: Collection[int] = ()) -> int:
        """Hold and return any port between LOWEST and HIGHEST but those to avoid.

        Raises OSError when none was found.
        """
        for _ in range(TRIES):
            port = random.randrange(LOWEST, HIGHEST)  # noqa: S311  not a secret
            if port not in avoid and self.take(port):
                return port
        message = f"no free port was found between {LOWEST} and {HIGHEST}"
        raise OSError(message)

    def assign(self, names: Iterable[str], remembered: Mapping[str, int]) -> dict[str, int]:
        """Hold a port for each name: the remembered one where it can be had, else another.

        Returns what is to be remembered from now on. Raises OSError when no port was found.
        """
        ports = dict(remembered)
        for name in names:
            if name not in ports or not self.take(ports[name]):
                ports[name] = self.pick(avoid=ports.values())
        return ports

    def release(self) -> None:
        """Let others have all of them."""
        for held in self._held.values():
            held.close()
        self._held.clear()
