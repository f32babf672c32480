"""What `maestro replay` found, as people and tools read it."""

import dataclasses
from typing import Any

import orjson
from rich.table import Table
from rich.text import Text

from maestro.cli.messages import iso_time
from maestro.cli.output import err, out, print_fields
from maestro.cli.wording import shortened
from maestro.replay.deciding import Report
from maestro.replay.forking import Forked
from maestro.replay.live import Comparison, Standing
from stores.postgres.session_logs import Head
from streams.session.context import Context, to_bytes

_SKIPPED_SHOWN = 10

_WORDS = {
    Standing.SAME: "[green]the same[/green] to the byte, at entry {sequence}",
    Standing.DIFFERENT: "[bold red]different[/bold red] at entry {sequence}",
    Standing.ABSENT: "Redis does not have it: it is rebuilt from the record with the next message",
    Standing.UNREADABLE: "another version wrote it: it is rebuilt from the record with the next message",
}


def context_row(context: Context, head: Head) -> dict[str, Any]:
    """Return a context with all its fields, and where its log ends."""
    return {
        "session_id": context.session_id,
        "sequence": context.sequence,
        "last_sequence": head.sequence,
        "hash": context.hash,
        "fence": head.fence,
        "context": orjson.loads(to_bytes(context)),
    }


def print_context(context: Context, head: Head) -> None:
    """Print what a person wants to know of a context."""
    print_fields(_summary(context, head), as_json=False)
    if context.pending:
        out.print("\n[bold]waits for[/bold]")
        out.print(
            _table(
                [
                    (step.kind.value, step.name or step.purpose or "", iso_time(step.due_ms), step.step_id)
                    for step in context.pending
                ]
            )
        )
    if context.messages:
        out.print("\n[bold]conversation[/bold]")
        rows = [
            (str(said.order), said.role.value, shortened(said.content) or _calls(said.calls))
            for said in context.messages
        ]
        out.print(_table(rows))


def comparison_row(session_id: str, found: Comparison) -> dict[str, Any]:
    """Return what came of comparing a session with its live context."""
    return {"session_id": session_id, **dataclasses.asdict(found), "standing": found.standing.value}


def tell_comparison(found: Comparison) -> None:
    """Say what came of comparing, and where the first difference is."""
    out.print("live context and record: " + _WORDS[found.standing].format(sequence=found.sequence))
    if found.standing is Standing.DIFFERENT:
        _values(str(found.field), "live", found.recorded, found.live)


def report_row(session_id: str, report: Report) -> dict[str, Any]:
    """Return what came of deciding a session again."""
    difference = report.difference
    return {
        "session_id": session_id,
        "upto": report.upto,
        "decisions": report.decisions,
        "same": report.same.total(),
        "events": dict(report.same),
        "copied": report.copied,
        "skipped": [dataclasses.asdict(each) for each in report.skipped],
        "difference": None
        if difference is None
        else {**dataclasses.asdict(difference), "cause_topic": report.cause_topic},
    }


def tell_report(report: Report) -> None:
    """Say how many decisions came out the same, what could not be decided again, and the first difference."""
    events = ", ".join(f"{count} from the {source}" for source, count in sorted(report.same.items()))
    out.print(f"{report.same.total()} of {report.decisions} decisions came out the same", end="")
    out.print(f" (events: {events})" if events else "")
    if report.copied:
        out.print(f"{report.copied} were copied from the session that this one was forked from")
    if report.skipped:
        out.print(f"{len(report.skipped)} could not be decided again:")
        for each in report.skipped[:_SKIPPED_SHOWN]:
            out.print(f"  entry {each.sequence} ({each.cause_topic}): {each.why}", markup=False)
        if len(report.skipped) > _SKIPPED_SHOWN:
            out.print(f"  and {len(report.skipped) - _SKIPPED_SHOWN} more: see --json")
    if report.difference is not None:
        found = report.difference
        err.print(f"[bold red]entry {found.sequence} comes out otherwise[/bold red]", end="")
        err.print(f", decided about a message of {report.cause_topic}")
        _values(found.field, "decided", found.recorded, found.decided)
        err.print("Rules come from the settings of this process: are they those of the workers?", style="dim")


def fork_row(done: Forked) -> dict[str, Any]:
    """Return what a fork is."""
    return {
        "session_id": done.session_id,
        "forked_from": done.source,
        "at": done.sequence,
        "entries": done.entries,
        "cancelled_runs": done.cancelled,
        "user_id": done.user_id,
        "title": done.title,
        "taken_up": done.came is not None,
    }


def _summary(context: Context, head: Head) -> dict[str, Any]:
    run = context.run
    return {
        "session": context.session_id,
        "entry": f"{context.sequence} of {head.sequence}",
        "hash": context.hash,
        "owner": context.user_id,
        "agent": context.agent_id,
        "title": context.title,
        "status": f"{context.status.value}{', archived' if context.archived else ''}",
        "changed": iso_time(context.updated_at_ms),
        "run": None if run is None else f"{run.id} ({run.status.value}, {run.agent_id})",
        "queued": len(context.queue) or None,
        "messages": f"{len(context.messages)} kept of {context.total_messages}",
        "summary": shortened(context.context_summary) or None,
        "tokens": context.spent.total_tokens,
        "cost": context.spent.cost,
        "bytes": len(to_bytes(context)),
    }


def _values(field: str, other: str, recorded: Any, value: Any) -> None:
    for name, text in (("field", field), ("recorded", _text(recorded)), (other, _text(value))):
        err.print(f"  [bold]{name:<9}[/bold]", end=" ")
        err.print(text, markup=False)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _calls(calls: Any) -> str:
    return ", ".join(f"calls {call.name}" for call in calls)


def _table(rows: list[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
