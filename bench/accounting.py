"""CPU seconds and memory of processes, from the kernel's own books."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds (user and system) since a process and its children began, and resident megabytes now."""

    cpu_s: float
    resident_mb: float


def usage_of(pid: int) -> Usage:
    """Return what a process and its descendants use, also those that it outlived; zero when it is gone."""
    cpu_s = resident_mb = 0.0
    for member in (pid, *_descendants(pid)):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            shares = Path(f"/proc/{member}/smaps_rollup").read_text()
        except OSError:
            continue
        # Its own user and system time, and that of the children it waited for: PostgreSQL's come and go.
        cpu_s += sum(map(int, fields[11:15])) / _TICKS_PER_S
        # Proportional set size: PostgreSQL's processes share most of their memory.
        resident_mb += (
            next(int(line.split()[1]) for line in shares.splitlines() if line.startswith("Pss:")) / 1024
        )
    return Usage(cpu_s, resident_mb)


def usage_by_name(pids: Mapping[str, int]) -> dict[str, Usage]:
    """Return the usage of each named process."""
    return {name: usage_of(pid) for name, pid in pids.items()}


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return found
    for task in tasks:
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            found += [child, *_descendants(child)]
    return found
