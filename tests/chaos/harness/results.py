"""What a part of a campaign found, as lines of JSON that are appended and added up."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson


@dataclass(slots=True, kw_only=True)
class Kill:
    """One process killed at one point. `at` and `gone_at` are wall clock, the others seconds after `at`.

    `answer_s` is about the run whose step stood there, `all_s` about everything asked before. `lanes`: roles
    that were killed in at the same time.
    """

    point: str
    seed: int
    static: bool
    process: str
    pid: int
    at: float
    gone_at: float
    lanes: int
    session: str | None = None
    step: str | None = None
    ready_s: float | None = None
    answer_s: float | None = None
    all_s: float | None = None
    open: int = 0
    lost: int = 0
    model_repeats: int = 0
    tool_repeats: dict[str, int] = field(default_factory=dict[str, int])
    order_violations: int = 0


@dataclass(slots=True, kw_only=True)
class Fault:
    """A disturbance that is no kill at a point. `all_s`: until what was asked before its end is answered."""

    fault: str
    seed: int
    at: float
    lasted_s: float
    all_s: float | None = None
    open: int = 0
    lost: int = 0
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class Part:
    """The verdict over everything that one stack saw. `problems` are the broken promises."""

    seed: int
    static: bool
    seconds: float
    sessions: int
    runs: int
    thrice: int
    generations: int
    model_calls: int
    tool_starts: Mapping[str, int]
    tool_repeats: Mapping[str, int]
    fell: Sequence[str]
    problems: Sequence[str]


Line = Kill | Fault | Part
_KINDS: Mapping[str, type[Line]] = {"kill": Kill, "fault": Fault, "part": Part}


def append(path: Path, lines: Sequence[Line]) -> None:
    """Add lines to the file of results."""
    names = {kind: name for name, kind in _KINDS.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        for line in lines:
            file.write(orjson.dumps({"kind": names[type(line)], **asdict(line)}) + b"\n")


def read(path: Path) -> Iterator[Line]:
    """Yield the lines of a file of results. Raises FileNotFoundError."""
    for line in path.read_bytes().splitlines():
        words = orjson.loads(line)
        yield _KINDS[words.pop("kind")](**words)
