"""Has the record caught up with what an event caused? Asked by who wants to read what they wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from schemas.changes import RUN_CHANGES, SESSION_CHANGES, TASK_CHANGES
from schemas.lists import Action
from stores.postgres.pool import Row

Version: TypeAlias = tuple[int, int]
"""Term and sequence of a log entry; the greater one wins."""

SAID = frozenset({Action.RUN_STARTED})
"""Entries of an application's event that come with a message: what the user asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CausedEntry:
    """One accepted log entry that the event caused, and what the record has for it."""

    sequence: int
    term: int
    action: Action
    run_id: str | None
    run: Version | None
    """The recorded state of its run."""
    has_message: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Caused:
    """What an event caused, and how far the record's rows are."""

    entries: tuple[CausedEntry, ...]
    """In order; empty only where the session is erased."""
    session: Version | None
    task: Version | None
    is_erased: bool

    @property
    def actions(self) -> tuple[Action, ...]:
        """What happened, in order."""
        return tuple(entry.action for entry in self.entries)

    @property
    def run_id(self) -> str | None:
        """The run that the event is about, when it is about one."""
        return next((entry.run_id for entry in self.entries if entry.run_id is not None), None)

    @property
    def is_seen(self) -> bool:
        """Whether whoever reads session, task, runs and messages now sees what the event caused, or later."""
        if self.is_erased:
            return True
        if not self.entries or Action.SESSION_ERASED in self.actions:
            return False
        last = self.entries[-1]
        upto = (last.term, last.sequence)
        changes = frozenset(self.actions)
        return (
            (changes.isdisjoint(SESSION_CHANGES) or _has(self.session, upto))
            and (changes.isdisjoint(TASK_CHANGES) or _has(self.task, upto))
            and all(_is_complete(entry) for entry in self.entries)
        )


def _has(row: Version | None, wanted: Version) -> bool:
    return row is not None and row >= wanted


def _is_complete(entry: CausedEntry) -> bool:
    if entry.action in RUN_CHANGES and entry.run_id and not _has(entry.run, (entry.term, entry.sequence)):
        return False
    return entry.has_message or entry.action not in SAID


def caused_of(rows: Sequence[Row], *, is_erased: bool) -> Caused | None:
    """Return what the rows of one event say; None while the record does not know of it."""
    if not rows:
        return Caused(entries=(), session=None, task=None, is_erased=True) if is_erased else None
    return Caused(
        entries=tuple(_entry(row) for row in rows),
        session=_version(row=rows[0], of="session"),
        task=_version(row=rows[0], of="task"),
        is_erased=is_erased,
    )


def _entry(row: Row) -> CausedEntry:
    return CausedEntry(
        sequence=row["sequence"],
        term=row["term"],
        action=Action(row["action"]),
        run_id=None if row["run_id"] is None else str(row["run_id"]),
        run=_version(row=row, of="run"),
        has_message=row["has_message"],
    )


def _version(*, row: Row, of: str) -> Version | None:
    term, version = row[f"{of}_term"], row[f"{of}_version"]
    return None if term is None else (term, version)
