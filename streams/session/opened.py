"""A context that a step works on, and on which condition the next one may be stored."""

from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from streams.session.context import Context


class Opened(Struct, frozen=True, kw_only=True, gc=False):
    """What was loaded or rebuilt. `expected`: the store's condition; `now_ms`: Redis' clock at the load."""

    context: Context
    term: int
    epoch: str
    expected: tuple[int, int] | str
    now_ms: int
    is_rebuilt: bool
    """Not in Redis yet: it is stored even when the event decides nothing."""

    def followed_by(self, after: Context) -> Self:
        """Return what the store of `after` leaves."""
        return replace(self, context=after, expected=(self.term, after.sequence), is_rebuilt=False)
