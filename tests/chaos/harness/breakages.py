"""Rules that can be taken away from the processes under test, to see that the verdict notices their loss."""

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from stores.postgres.once_claims import OnceClaims
from stores.redis.journal import Journal
from streams.session.outbox import Outbox

BROKEN = "CHAOS_BREAK"
"""Names the rule in the environment of a process."""


def _once() -> None:
    async def claim(self: OnceClaims, step_id: str, token: str) -> bool:
        _ = self, step_id, token
        return True

    OnceClaims.claim = claim


def _journal() -> None:
    async def complete(*_: Any, **__: Any) -> bool:
        return True

    Journal.complete = complete


def _outbox() -> None:
    def is_delivered(self: Outbox, session_id: str, *, term: int, version: int) -> bool:
        _ = self, session_id, term, version
        return True

    Outbox.is_delivered = is_delivered


BREAKAGES: Mapping[str, Callable[[], None]] = MappingProxyType(
    {"once": _once, "journal": _journal, "outbox": _outbox}
)
"""Anybody may start a `once` tool; results are not kept; nobody asks whether everything was published."""


def break_rule() -> None:
    """Take the rule away that this process' environment names."""
    if name := os.environ.get(BROKEN):
        BREAKAGES[name]()
