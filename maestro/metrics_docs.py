"""Writes `docs/metrics.md` from the catalogue of metrics.

Use: `python -m maestro.metrics_docs [--check]`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Counter

from telemetry.metrics import CATALOGUE, Metric

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"

_HEAD = """# Metrics

Every worker and sink serves these on `/metrics` in Prometheus' text format (see
[operating](operating.md)). A counter begins at 0 with its process. Labels are closed lists, names of topics,
models and tools: never the id of a session, run or user.

Prometheus' client adds facts of the process itself: `process_cpu_seconds_total`,
`process_resident_memory_bytes`, `process_open_fds`, `process_start_time_seconds`,
`python_gc_collections_total` and their like."""


def page() -> str:
    """Return the page's text."""
    return "\n".join(_lines()) + "\n"


def name_of(metric: Metric) -> str:
    """Return the name under which a metric is scraped; a histogram's has a suffix more."""
    family = next(iter(metric.describe()))
    return f"{family.name}_total" if isinstance(metric, Counter) else family.name


def _lines() -> Iterator[str]:
    yield _HEAD
    for heading, metrics in CATALOGUE.items():
        yield f"\n## {heading}\n"
        yield "| name | kind | labels | meaning |"
        yield "|---|---|---|---|"
        for metric in metrics:
            family = next(iter(metric.describe()))
            labels = ", ".join(f"`{label}`" for label in _labels(metric))
            yield f"| `{name_of(metric)}` | {family.type} | {labels} | {family.documentation} |"


def _labels(metric: Metric) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(metric, "_labelnames")  # noqa: B009 - the library tells nobody else
    return names


def main() -> int:
    """Write the page, or with `--check` say whether it is out of date and exit 1."""
    if "--check" in sys.argv[1:]:
        if PAGE.is_file() and PAGE.read_text() == page():
            return 0
        sys.stderr.write("docs/metrics.md is out of date: run python -m maestro.metrics_docs\n")
        return 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
