"""Deciding a whole log again: what is the same, what nobody remembers, and where it ends."""

from typing import cast

import pytest

from maestro.cli.replay_rows import report_row, tell_report
from maestro.replay.deciding import Report, decided_again
from maestro.replay.events import Events, Found, Source
from schemas.records import Agent, TaskLogs
from stores.postgres.session_logs import SessionLogs
from streams.session.context import Context
from streams.session.rules import Rules
from tests.fakes.record import row_of
from tests.unit.maestro.replay.rows import Rows
from tests.unit.streams.session.simulated import SESSION, TIGHT, Simulated, analyst


class Remembered:
    """The events of a simulated session; those in `lost` are forgotten."""

    def __init__(
        self,
        session: Simulated,
        *,
        lost: frozenset[str] = frozenset(),
        agent: Agent | None = None,
        is_agent_certain: bool = True,
    ) -> None:
        self._by_id = {event.id: event for event in session.events}
        self._lost = lost
        self._agent = agent or session.agents["analyst"]
        self._is_agent_certain = is_agent_certain

    async def of(self, before: Context, logs: TaskLogs) -> Found | None:
        del before
        if logs.cause_id in self._lost:
            return None
        return Found(
            record=self._by_id[logs.cause_id].record,
            source=Source.TOPIC,
            agent=self._agent,
            is_agent_certain=self._is_agent_certain,
        )


def talk() -> Simulated:
    session = Simulated()
    for text in ("one", "two"):
        session.say(text)
        session.answer(session.requests()[-1], f"answer to {text}")
    return session


async def again(
    session: Simulated, events: Remembered, *, upto: int | None = None, copied: int = 0, rules: Rules = TIGHT
) -> Report:
    rows = Rows(
        [row_of(logs, entry.sequence) for logs in session.decisions for entry in logs.entries], copied=copied
    )
    return await decided_again(
        cast("SessionLogs", rows),
        cast("Events", events),
        SESSION,
        upto=upto or session.context.sequence,
        rules=rules,
    )


async def test_a_log_is_decided_again_to_its_end() -> None:
    session = talk()
    report = await again(session, Remembered(session))
    assert (report.decisions, report.same, report.difference) == (4, {"topic": 4}, None)
    assert report_row(SESSION, report)["same"] == 4


async def test_it_ends_at_the_first_difference_and_says_which_event_it_was_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    session = talk()
    report = await again(session, Remembered(session, agent=analyst(model="another")))
    assert report.difference is not None
    assert report.difference.field == "payload.configuration.model"
    assert (report.decisions, report.cause_topic) == (1, "user-messages")
    tell_report(report)
    assert "comes out otherwise" in capsys.readouterr().err


async def test_what_nobody_remembers_is_counted_and_passed_over() -> None:
    session = talk()
    report = await again(session, Remembered(session, lost=frozenset({session.events[1].id})))
    assert (report.decisions, report.same.total(), report.difference) == (4, 3, None)
    assert [(each.cause_topic, "not on its topic" in each.why) for each in report.skipped] == [
        ("generations", True)
    ]


async def test_an_agent_of_today_proves_nothing_when_it_comes_out_otherwise() -> None:
    session = talk()
    events = Remembered(session, agent=analyst(model="another"), is_agent_certain=False)
    report = await again(session, events)
    assert report.difference is None
    assert len(report.skipped) == 2
    assert all("what the agent was like" in each.why for each in report.skipped)


async def test_a_copy_was_decided_elsewhere() -> None:
    session = talk()
    first = session.decisions[0].entries[-1].sequence
    report = await again(session, Remembered(session), copied=first)
    assert (report.copied, report.same.total()) == (1, 3)


async def test_the_last_decision_may_be_cut_where_one_wanted_it() -> None:
    session = talk()
    for upto in range(1, session.context.sequence + 1):
        report = await again(session, Remembered(session), upto=upto)
        assert (report.difference, report.skipped) == (None, [])
