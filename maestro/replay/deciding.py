"""Every decision of a session's log decided once more, from what caused it, without a model or a tool."""

from collections import Counter
from dataclasses import dataclass, field

from maestro.replay.events import Events, Found
from maestro.replay.history import Moment, history
from stores.postgres.session_logs import SessionLogs
from streams.session.redecide import Difference, difference
from streams.session.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A decision that could not be decided again, and why."""

    sequence: int
    cause_topic: str
    why: str


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of deciding again. It ends at the first `difference`.

    `same` counts the decisions that came out the same, by where their event was found. `copied` were decided
    in the session that this one was forked from.
    """

    upto: int
    decisions: int = 0
    same: Counter[str] = field(default_factory=Counter[str])
    copied: int = 0
    skipped: list[Skipped] = field(default_factory=list[Skipped])
    difference: Difference | None = None
    cause_topic: str | None = None
    """Topic of the event whose decision differs."""


async def decided_again(
    logs: SessionLogs, events: Events, session_id: str, *, upto: int, rules: Rules
) -> Report:
    """Decide the session's log again up to the entry `upto`, each decision in the context recorded before it.

    Raises what `history` raises, and TransientError when Kafka does not answer.
    """
    report = Report(upto=upto)
    copied_upto = await logs.forked_upto(session_id)
    async for moment in history(logs, session_id, upto=upto):
        report.decisions += 1
        if moment.after.sequence <= copied_upto:
            report.copied += 1
            continue
        await _again(report, events, moment, rules)
        if report.difference is not None:
            break
    return report


async def _again(report: Report, events: Events, moment: Moment, rules: Rules) -> None:
    found = await events.of(moment.before, moment.logs)
    if found is None:
        _skip(report, moment, "its event is not on its topic any more")
        return
    differs = difference(moment.before, moment.logs, found.record, found.agent, rules)
    if differs is None or differs.sequence > report.upto:
        # Beyond the last entry asked for, the recorded decision was not read.
        report.same[found.source.value] += 1
    elif found.is_certain:
        report.difference = differs
        report.cause_topic = moment.logs.cause_topic
    else:
        _skip(report, moment, _forgotten(found))


def _forgotten(found: Found) -> str:
    if not found.is_agent_certain:
        return "the log does not say what the agent was like then, and with today's it comes out otherwise"
    return "its event is not on its topic any more, and the log does not tell all of it"


def _skip(report: Report, moment: Moment, why: str) -> None:
    sequence = moment.before.sequence + 1
    report.skipped.append(Skipped(sequence=sequence, cause_topic=moment.logs.cause_topic, why=why))
