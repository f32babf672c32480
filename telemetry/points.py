"""Named points where a fault-injection harness can park or kill a process; they do nothing otherwise."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

POINTS: Mapping[str, str] = MappingProxyType(
    {
        "session.loaded": "The context is read; nothing is decided.",
        "session.fenced": "A rebuild's fence is published; its barrier is not passed.",
        "session.barrier_passed": "The record has passed a rebuild's fence; the context is not folded.",
        "session.decided": "The decision is made; nothing is stored.",
        "session.stored": "Context and outbox are stored; nothing is published.",
        "session.logs_published": "The decision's logs are published; its other outputs are not.",
        "session.published": "Everything is published; the event is not acknowledged.",
        "session.timer_published": "A due timer's message is published; the timer is not removed.",
        "generate.claimed": "The step is claimed; the model is not called.",
        "generate.called": "The model answered; the journal does not know.",
        "generate.completed": "The journal has the answer; it is not published.",
        "generate.published": "The generation is published; the request is not acknowledged.",
        "execute.claimed": "The step is claimed; the tool is not started.",
        "execute.called": "The tool returned; the journal does not know.",
        "execute.completed": "The journal has the result; it is not published.",
        "execute.published": "The result is published; the call is not acknowledged.",
        "sink.written": "The rows are written; the transaction is open.",
        "sink.committed": "The transaction is committed; Kafka's own offsets are not.",
        "embeddings.written": "The vectors are written; the transaction is open.",
        "embeddings.committed": "The transaction is committed; Kafka's own offsets are not.",
        "recents.written": "The lists are written; their offsets are not.",
        "recents.committed": "Lists and offsets are written; Kafka's own offsets are not.",
    }
)
"""Name and meaning of every point."""

Hook = Callable[[str], Awaitable[None]]

ENABLED: Hook | None = None
"""What to await at each point. Set before the program starts, by a harness only."""


async def point(name: str) -> None:
    """Pass the point `name`, one of `POINTS`. Costs one comparison unless a harness set `ENABLED`.

    Raises:
        KeyError: a harness is on and the catalogue does not have the name.

    """
    if ENABLED is None:
        return
    _ = POINTS[name]
    await ENABLED(name)
