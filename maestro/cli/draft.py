"""The text that a model is writing just now, put together from pieces of one attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Draft:
    """What one attempt has said so far. A new attempt begins anew; what an old one still says is dropped."""

    attempt_id: str | None = None
    text: str = ""
    ended: frozenset[str] = frozenset()

    def with_piece(self, piece: Mapping[str, Any]) -> "Draft":
        """Return the draft after a feed entry of kind `delta`."""
        attempt_id = str(piece.get("attempt_id"))
        if attempt_id in self.ended:
            return self
        begun = self if attempt_id == self.attempt_id else self.cleared()
        return replace(begun, attempt_id=attempt_id, text=begun.text + str(piece.get("text", "")))

    def cleared(self) -> "Draft":
        """Return the draft after a stage: what was written has become part of the record, or never will."""
        ended = self.ended if self.attempt_id is None else self.ended | {self.attempt_id}
        return Draft(ended=ended)

    def last_lines(self, count: int) -> str:
        """Return the end of the text, for a screen with few lines."""
        return "\n".join(self.text.splitlines()[-count:])
