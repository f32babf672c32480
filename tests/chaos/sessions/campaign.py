"""The command that runs one storm: `scripts/chaos-sessions --sessions 1000`."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import orjson

from maestro.embedded.folder import DataFolder
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack
from tests.chaos.sessions.storm import Plan, Report, weather


async def _run(plan: Plan) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="maestro-storm-"))
    folder.chmod(0o711)  # PostgreSQL's user passes through when this runs as root
    try:
        async with EmbeddedStack(EmbeddedSettings(data_dir=folder / "stack")) as stack:
            return await weather(stack, folder / "fleet", plan, _say)
    finally:
        DataFolder(folder / "stack").remove()
        shutil.rmtree(folder, ignore_errors=True)


def _say(line: str) -> None:
    _ = sys.stderr.write(f"{line}\n")
    _ = sys.stderr.flush()


def _lines(report: Report) -> Iterator[str]:
    for kind, count in sorted(report.runs.items()):
        yield f"{count:6d} runs {kind}"
    for name, count in report.starts.items():
        yield f"{count:6d} starts of {name}, {report.repeats[name]} of them again"
    yield f"{report.approved} calls approved, {report.denied} denied; {report.seconds:.0f} s"
    for problem in report.problems[:20]:
        yield f"BROKEN: {problem}"
    yield f"{len(report.problems)} promises broken" if report.problems else "every promise kept"


def main() -> int:
    """Run a storm as the arguments say; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description="Flush Redis and restart the broker under running sessions.")
    _ = parser.add_argument("--sessions", type=int, default=1000)
    _ = parser.add_argument("--flushes", type=int, default=2)
    _ = parser.add_argument("--broker-restarts", type=int, default=1)
    _ = parser.add_argument("--workers", type=int, default=2, help="processes of each role")
    _ = parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    plan = Plan(
        sessions=given.sessions,
        flushes=given.flushes,
        broker_restarts=given.broker_restarts,
        workers=given.workers,
    )
    report = asyncio.run(_run(plan))
    lines = [orjson.dumps(asdict(report)).decode()] if given.json else _lines(report)
    _ = sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
