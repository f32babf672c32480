"""Writes the published page from the results of all parts. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from tests.chaos.harness.kills import POINTS
from tests.chaos.harness.results import Fault, Kill, Line, Part

_TEXT = Path(__file__).with_name("page.md")
EFFECTS = ("pure", "idempotent", "reconcile", "once")
_ROLES = {
    "session": "session worker",
    "generate": "generate worker",
    "execute": "execute worker",
    "sink": "PostgreSQL sink",
    "embeddings": "embeddings sink",
    "recents": "recents sink",
}


def page(lines: Sequence[Line]) -> str:
    """Return docs/reliability.md."""
    kills = [line for line in lines if isinstance(line, Kill)]
    faults = [line for line in lines if isinstance(line, Fault)]
    parts = [line for line in lines if isinstance(line, Part)]
    return _TEXT.read_text().format(
        summary=_summary(kills, faults, parts),
        points=_points(kills),
        faults=_faults(faults),
        problems=_problems(parts),
    )


def _summary(kills: Sequence[Kill], faults: Sequence[Fault], parts: Sequence[Part]) -> str:
    lost = sum(each.lost for each in (*kills, *faults))
    runs, sessions = sum(part.runs for part in parts), sum(part.sessions for part in parts)
    calls = sum(part.model_calls for part in parts)
    again = calls - sum(part.generations for part in parts)
    starts, repeats = Counter[str](), Counter[str]()
    for part in parts:
        starts.update(part.tool_starts)
        repeats.update(part.tool_repeats)
    broken = sum(len(part.problems) for part in parts)
    rows = [
        ("kills at named points", f"{len(kills)}"),
        ("other disturbances", f"{len(faults)}"),
        ("sessions, runs", f"{sessions:,}, {runs:,}"),
        ("messages published three times", f"{sum(part.thrice for part in parts):,}"),
        ("runs lost", f"{lost}"),
        ("promises broken", f"{broken}"),
        ("requests that the provider served, again", f"{calls:,}, {again} ({_share(again, calls)})"),
        *(
            (f"starts of `{effect}` tools, again", f"{starts[effect]:,}, {repeats[effect]}")
            for effect in EFFECTS
        ),
        ("processes that ended by themselves", f"{sum(len(part.fell) for part in parts)}"),
    ]
    return _table(("what", "count"), rows)


def _points(kills: Sequence[Kill]) -> str:
    at: defaultdict[str, list[Kill]] = defaultdict(list)
    for kill in kills:
        at[kill.point].append(kill)
    rows = [
        (
            f"{_ROLES[point.partition('.')[0]]}: {meaning.rstrip('.').lower()}",
            str(len(found)),
            str(sum(kill.lost for kill in found)),
            str(sum(kill.model_repeats for kill in found)),
            ", ".join(str(sum(kill.tool_repeats.get(effect, 0) for kill in found)) for effect in EFFECTS),
            str(sum(kill.order_violations for kill in found)),
            _times(kill.answer_s for kill in found if kill.static and kill.lanes == 1),
            _times(kill.answer_s for kill in found if not kill.static and kill.lanes == 1),
            _times(kill.all_s for kill in found if kill.lanes == 1),
            _times(kill.all_s for kill in found),
        )
        for point, meaning in POINTS.items()
        if (found := at[point])
    ]
    head = (
        "killed at",
        "kills",
        "runs lost",
        "model calls again",
        "tools again: " + ", ".join(EFFECTS),
        "out of order",
        "s to its run's answer, names kept",
        "s to its run's answer, partitions move",
        "s to all answers",
        "s to all answers, all kills",
    )
    return _table(head, rows)


def _times(found: Iterable[float | None]) -> str:
    times = [time for time in found if time is not None]
    return f"{median(times):.1f}, {max(times):.1f}" if times else "-"


def _faults(faults: Sequence[Fault]) -> str:
    of: defaultdict[str, list[Fault]] = defaultdict(list)
    for fault in faults:
        of[fault.fault].append(fault)
    rows = [
        (
            name,
            str(len(found)),
            f"{median(fault.lasted_s for fault in found):.0f}",
            str(sum(fault.open for fault in found)),
            str(sum(fault.lost for fault in found)),
            _times(fault.all_s for fault in found),
            found[-1].detail or "-",
        )
        for name, found in sorted(of.items())
    ]
    head = (
        "disturbance",
        "times",
        "lasted s",
        "runs open",
        "runs lost",
        "s to the answers afterwards",
        "the last time",
    )
    return _table(head, rows)


def _problems(parts: Sequence[Part]) -> str:
    lines = [f"- seed {part.seed}: {problem}" for part in parts for problem in part.problems]
    return "\n".join(lines) or "None."


def _share(some: int, whole: int) -> str:
    return f"{100 * some / whole:.2f} %" if whole else "-"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
