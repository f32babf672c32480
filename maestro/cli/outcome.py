"""What a run came to, as commands tell it: the answer on stdout, or a typed error, and an exit code."""

from types import MappingProxyType

from maestro.cli.output import (
    EXIT_CANCELLED,
    EXIT_FAILED,
    EXIT_REJECTED,
    err,
    out,
    print_json,
)
from schemas.lists import RunStatus
from schemas.records import Run

EXIT_OF = MappingProxyType(
    {
        RunStatus.COMPLETED: 0,
        RunStatus.FAILED: EXIT_FAILED,
        RunStatus.CANCELLED: EXIT_CANCELLED,
        RunStatus.REJECTED: EXIT_REJECTED,
    }
)
"""Exit code of each status that ends a run."""


def tell(run: Run, *, as_json: bool = False) -> int:
    """Print a run that has ended; return the exit code that says how."""
    if as_json:
        print_json(run.model_dump(mode="json"))
    elif run.status is RunStatus.COMPLETED:
        out.print(run.output or "", markup=False)
    if run.status is not RunStatus.COMPLETED:
        err.print(f"[bold red]{run.status}[/bold red] ({code_of(run)}): ", end="")
        err.print(run.error_message or "the run ended without saying why", markup=False)
    return EXIT_OF.get(run.status, EXIT_FAILED)


def code_of(run: Run) -> str:
    """Return the stable code of why a run has no answer."""
    return run.error_code or (run.stop_reason.value if run.stop_reason else "unknown")


def unanswered(run: Run | None, *, session_id: str, timeout_s: float, trouble: str | None) -> str:
    """Return what to tell somebody who has waited for `timeout_s` in vain; `run` is the last state seen."""
    if run is None:
        standing = "nobody has taken the message yet: is a session worker running (`maestro worker session`)?"
    elif run.status.is_terminal:
        standing = (
            f"the run is {run.status}, but the record does not confirm it yet:"
            " is the sink running (`maestro sink postgres`)?"
        )
    else:
        standing = (
            f"the run is {run.status}: are `maestro worker generate` and `maestro worker execute` running?"
        )
    last = f" Last trouble: {trouble}" if trouble else ""
    return (
        f"no answer within {timeout_s:g} s; {standing}{last} The message is kept and will be answered:"
        f" see `maestro trail --session {session_id}`"
    )
