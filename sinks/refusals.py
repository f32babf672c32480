"""How much may be refused before a sink stops: bad code must not drain a topic into dead letters. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusals:
    """Times of what was refused lately, in seconds of any steady clock."""

    limit: int
    window_s: float
    times_s: tuple[float, ...] = ()

    def adding(self, count: int, *, now_s: float) -> "Refusals":
        """Return the refusals with `count` more now; those before the window are forgotten."""
        recent = tuple(time_s for time_s in self.times_s if time_s > now_s - self.window_s)
        return Refusals(self.limit, self.window_s, (*recent, *(now_s,) * count))

    @property
    def is_too_much(self) -> bool:
        """Whether more was refused within the window than the limit allows."""
        return len(self.times_s) > self.limit
