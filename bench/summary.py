"""The table and the ratios of `bench loop`."""

from collections.abc import Mapping
from typing import Any

LEVELS = (1, 32, 128, 512)
"""Sessions that ask at a time."""


def ratios(floor: Mapping[str, Any], maestro: Mapping[str, Any]) -> dict[str, float]:
    """Return Maestro's latency and CPU as multiples of the floor's, its throughput as a share."""
    return {
        "idle_p50": maestro["idle"]["p50_ms"] / floor["idle"]["p50_ms"],
        "runs_per_s_128": maestro["levels"]["128"]["runs_per_s"] / floor["levels"]["128"]["runs_per_s"],
        "cpu_128": maestro["levels"]["128"]["cpu_s_per_1000"] / floor["levels"]["128"]["cpu_s_per_1000"],
    }


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the results as lines of text, one system a line."""
    head = f"{'system':<16}{'idle p50/p99 ms':>18}{'runs/s at ' + ' / '.join(map(str, LEVELS)):>34}"
    head += f"{'CPU s/1000 idle / 128':>24}{'MB':>7}"
    lines = [head]
    for name, result in results.items():
        idle, levels = result["idle"], result["levels"]
        speeds = " / ".join(
            f"{levels[str(level)]['runs_per_s']:.0f}" if str(level) in levels else "-" for level in LEVELS
        )
        cpu = f"{levels['128']['cpu_s_per_1000']:.2f}" if "128" in levels else "-"
        lines.append(
            f"{name:<16}{idle['p50_ms']:>10.1f} / {idle['p99_ms']:<5.1f}{speeds:>34}"
            f"{idle['cpu_s_per_1000']:>14.2f} / {cpu:<7}"
            f"{result['memory_mb']:>7.0f}"
        )
    return "\n".join(lines)


def cpu_lines(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return CPU seconds per 1,000 runs by process at 128 sessions; the caller stands apart."""
    lines: list[str] = []
    for name, result in results.items():
        level = result["levels"]["128"]
        parts = ", ".join(f"{process} {cpu:.2f}" for process, cpu in level["cpu_by_process"].items())
        lines.append(f"{name}: {parts}; caller {level['caller_cpu_s_per_1000']:.2f}")
    return "\n".join(lines)
