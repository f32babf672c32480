"""TCP ports for the embedded services: free ones, below the range that clients' own connections use."""

import random
import socket
from collections.abc import Callable, Collection

LOOPBACK = "127.0.0.1"
# Linux gives outgoing connections ports from 32768 up; a client that retries a dead port in that range
# can connect to itself and so keep a restarted server from listening.
LOWEST, HIGHEST = 20_000, 32_000
TRIES = 500


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def pick_port(taken: Collection[int], *, free: Callable[[int], bool] = is_free) -> int:
    """Return a free port between LOWEST and HIGHEST that is not among those taken.

    Raises OSError when none was found.
    """
    for _ in range(TRIES):
        port = random.randrange(LOWEST, HIGHEST)  # noqa: S311  not a secret
        if port not in taken and free(port):
            return port
    message = f"no free port was found between {LOWEST} and {HIGHEST}"
    raise OSError(message)
