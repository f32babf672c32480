"""Whether a process's stores answer, asked every other second: what `/ready` says besides membership."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from schemas.errors import MaestroError
from telemetry.metrics import STORE_UP

_EVERY_S = 2.0
_LIMIT_S = 3.0
"""Longest wait for an answer."""

Probe = Callable[[], Awaitable[object]]


class Reach:
    """Asks each store by its probe, for as long as it runs."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        *,
        also: Callable[[], str | None] = lambda: None,
        every_s: float = _EVERY_S,
    ) -> None:
        """`probes` by the store's name; `also` names a trouble that needs no question, or None."""
        self._probes = probes
        self._also = also
        self._every_s = every_s
        self._found: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._keep_asking(), name="reach of the stores")

    async def stop(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_LIMIT_S)

    def trouble(self) -> str | None:
        """Return what keeps the process from its work, in a sentence; None when nothing does.

        May be asked from any thread.
        """
        if self._task is not None and self._task.done():
            return "the stores are not asked any more"
        # A list at once: the event loop may add or remove one meanwhile.
        return next((f"{name}: {why}" for name, why in list(self._found.items())), None) or self._also()

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.gather(*(self._ask(name, probe) for name, probe in self._probes.items()))
            await asyncio.sleep(self._every_s)

    async def _ask(self, name: str, probe: Probe) -> None:
        try:
            async with asyncio.timeout(_LIMIT_S):
                await probe()
        except TimeoutError:
            self._found[name] = f"no answer within {_LIMIT_S:.0f} s"
        except MaestroError as error:
            self._found[name] = error.message
        else:
            self._found.pop(name, None)
        STORE_UP.labels(name).set(name not in self._found)
