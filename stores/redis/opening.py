"""Opening of a usable connection: logged in, eviction ruled out, scripts loaded, epochs in force."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.errors import FatalError, MaestroError, TransientError
from stores.redis.address import Address
from stores.redis.keys import Keys
from stores.redis.link import Call, Link
from stores.redis.replies import as_text
from stores.redis.scripts import ALL_SCRIPTS, EPOCH_RENEW
from stores.redis.wire import Reply

_POLICY = re.compile(r"^maxmemory_policy:(\S+)", re.MULTILINE)
NEEDED_POLICY = "noeviction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """Opens connections for the partitions 0 … `partitions` - 1. Epochs that they begin name the `owner`."""

    address: Address
    keys: Keys
    partitions: int
    connect_timeout_s: float
    owner: bytes

    async def open(self, answer_within_s: float | None) -> Link:
        """Return a connection whose first commands have replaced the epochs of another run of the server.

        Raises TransientError when the server cannot be reached or is not ready, FatalError when it must not
        be used: wrong login, or a policy that evicts keys.
        """
        link: Link | None = None
        try:
            async with asyncio.timeout(self.connect_timeout_s):
                link = await self.address.open(lambda: Link(answer_within_s))
                await self._prepare(link)
        except (OSError, TimeoutError) as error:
            _drop(link)
            reason = str(error) or "no answer in time"
            message = f"Redis at {self.address} cannot be reached: {reason}."
            raise TransientError(message) from error
        except (MaestroError, asyncio.CancelledError):
            _drop(link)
            raise
        return link

    async def _prepare(self, link: Link) -> None:
        """Send all that comes before the first command of anybody else, as one pipeline."""
        loop = asyncio.get_running_loop()
        before = [Call(command, loop.create_future()) for command in self.address.login]
        policy = Call((b"INFO", b"memory"), loop.create_future())
        loads = [Call((b"SCRIPT", b"LOAD", script.text), loop.create_future()) for script in ALL_SCRIPTS]
        epochs = [
            Call((self.keys.epoch(partition), self.owner), loop.create_future(), EPOCH_RENEW)
            for partition in range(self.partitions)
        ]
        replies = await _answers(link, [*before, policy, *loads, *epochs])
        check_policy(as_text(replies[len(before)]))


async def _answers(link: Link, calls: Sequence[Call]) -> list[Reply]:
    """Return all replies. Raises the first error; the others count as seen."""
    link.send(calls)
    replies = await asyncio.gather(*(call.future for call in calls), return_exceptions=True)
    answers: list[Reply] = []
    for reply in replies:
        if isinstance(reply, BaseException):
            raise reply
        answers.append(reply)
    return answers


def check_policy(memory_info: str) -> None:
    """Check the section `memory` of INFO. Raises FatalError where keys may be evicted before their time."""
    found = _POLICY.search(memory_info)
    policy = "unknown" if found is None else found.group(1)
    if policy != NEEDED_POLICY:
        message = (
            f"Redis' maxmemory-policy is {policy}: it may evict the state of running sessions. "
            f"Set it to {NEEDED_POLICY} (CONFIG SET, and in the server's file)."
        )
        raise FatalError(message)


def _drop(link: Link | None) -> None:
    if link is not None:
        link.abort("it could not be prepared")
