"""A simulated process: a group of tasks with ports that can die, freeze and fail at every await."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from typing import Any, Protocol, TypeVar, cast

from schemas.errors import TransientError
from tests.simulation.loop import OWNER, Handle, SimulatedLoop

PortT = TypeVar("PortT")


class Surroundings(Protocol):
    """What a process needs of its world."""

    loop: SimulatedLoop

    @property
    def wall_ms(self) -> int:
        """The true time, Unix milliseconds."""
        ...

    def is_away(self, service: str) -> bool:
        """Whether a service does not answer now."""
        ...

    def delay_s(self) -> float:
        """How long the next call takes."""
        ...

    def strike(self, process: "Process", place: str) -> None:
        """Let a fault happen here, if it is time for one."""
        ...

    def tell(self, who: str, what: Callable[[], str]) -> None:
        """Write a line of the trace."""
        ...


class Process:
    """One process, a member of its role's group. `skew_ms` is what its wall clock is ahead."""

    def __init__(
        self, world: Surroundings, role: str, number: int, *, member: str | None, skew_ms: int
    ) -> None:
        self.world = world
        self.name = f"{role}-{number}"
        self.role = role
        self.number = number
        self.member = self.name if member is None else member
        """The name that it has in its group; one that comes instead of another has the other's."""
        self.is_dead = False
        self.is_frozen = False
        self.held: list[Handle] = []
        self._skew_ms = skew_ms
        self._failure: TransientError | None = None

    @property
    def is_up(self) -> bool:
        """Whether it runs now."""
        return not self.is_dead and not self.is_frozen

    def now_ms(self) -> int:
        """Its own wall clock."""
        return self.world.wall_ms + self._skew_ms

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start a task of this process."""
        context = copy_context()
        context.run(OWNER.set, self)
        self.world.loop.create_task(work, context=context)

    def kill(self) -> None:
        """End as SIGKILL does: no task ever goes on, not even to clean up."""
        self.is_dead = True
        self.held.clear()

    def freeze(self) -> None:
        """Stop at the next turn, as SIGSTOP does."""
        self.is_frozen = True

    def wake(self) -> None:
        """Go on, not knowing how much time has passed."""
        if self.is_dead or not self.is_frozen:
            return
        self.is_frozen = False
        held, self.held = self.held, []
        self.world.loop.release(held)

    def fail_next(self) -> None:
        """Let the call that passes its turn now raise: nobody answered."""
        self._failure = TransientError("no answer")

    async def turn(self, place: str, *, may_fail: bool = False) -> None:
        """Pass a place where the world may change, or this process may end.

        Raises:
            TransientError: the call gets no answer, whether it had an effect or not (where it `may_fail`).

        """
        world = self.world
        await asyncio.sleep(world.delay_s())
        world.strike(self, place)
        if self.is_dead or self.is_frozen:
            # Held back by the loop, until it wakes or for ever.
            await asyncio.sleep(0)
        if may_fail and self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def wired(self, port: PortT, service: str) -> PortT:
        """Return the port as this process reaches it: two turns a call, before its effect and after it."""
        return cast("PortT", _Wired(port, self, service))


class _Wired:
    def __init__(self, port: Any, process: Process, service: str) -> None:
        self._port = port
        self._process = process
        self._service = service

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._port, name)
        process, service, world = self._process, self._service, self._process.world
        before, after = f"before {service}.{name}", f"after {service}.{name}"

        async def call(*arguments: Any, **named: Any) -> Any:
            await process.turn(before, may_fail=True)
            if world.is_away(service):
                message = f"{service} is away"
                raise TransientError(message)
            answer = await method(*arguments, **named)
            world.tell(process.name, lambda: f"{service}.{name}{_shown(arguments, named)} = {shown(answer)}")
            await process.turn(after, may_fail=True)
            return answer

        # Found without this method the next time.
        self.__dict__[name] = call
        return call


def _shown(arguments: tuple[Any, ...], named: dict[str, Any]) -> str:
    parts = [shown(each) for each in arguments]
    parts += [f"{name}={shown(value)}" for name, value in named.items() if name != "trace"]
    return f"({', '.join(parts)})"


def shown(value: Any) -> str:
    """Return a short text of anything that passes through a port."""
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, list | tuple):
        items = cast("list[Any]", value)
        more = " …" if len(items) > _SHOWN_ITEMS else ""
        return f"[{', '.join(shown(item) for item in items[:_SHOWN_ITEMS])}{more}]"
    fields = getattr(value, "model_fields_set", None)
    if fields is not None:
        return _record_shown(value)
    slots = getattr(type(value), "__dataclass_fields__", None)
    if slots is not None:
        return f"{type(value).__name__}({', '.join(shown(getattr(value, name)) for name in slots)})"
    text = str(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_ID_CHARS]}…"


def _record_shown(record: Any) -> str:
    parts = [type(record).__name__]
    for name in (
        "session_id",
        "id",
        "run_id",
        "term",
        "fence_previous",
        "status",
        "kind",
        "version",
        "sequence",
    ):
        value = getattr(record, name, None)
        if value is not None:
            parts.append(f"{name}={shown(value)}")
    entries = getattr(record, "entries", ())
    if entries:
        parts.append(f"{entries[0].sequence}:{'+'.join(entry.action.value for entry in entries)}")
    return " ".join(parts)


_SHOWN_ITEMS = 4
_SHOWN_CHARS = 36
_ID_CHARS = 18
