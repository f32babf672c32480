"""What `maestro replay` prints of a context, a comparison and a fork."""

import pytest
from click import BadParameter, Command, Context

from maestro.cli.replay import checked_new_id
from maestro.cli.replay_rows import comparison_row, context_row, fork_row, print_context, tell_comparison
from maestro.commands import Came
from maestro.replay.forking import Forked
from maestro.replay.live import Comparison, Standing
from stores.postgres.session_logs import Head
from streams.session.new_session import born_ms
from tests.unit.streams.session.simulated import SESSION, Simulated


def waiting() -> Simulated:
    session = Simulated()
    session.say("how many?")
    session.answer(session.requests()[-1], "", [("sql_query", {"query": "select 1"})])
    return session


def test_a_context_is_shown_whole_to_tools_and_in_short_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    context = waiting().context
    head = Head(7, 99, "x", erased=False)
    row = context_row(context, head)
    assert (row["sequence"], row["last_sequence"], row["fence"]) == (context.sequence, 99, 7)
    assert row["context"]["pending"][0]["name"] == "sql_query"
    print_context(context, head)
    printed = capsys.readouterr().out
    for part in (f"{context.sequence} of 99", context.hash, "how many?", "sql_query", "alice", "running"):
        assert part in printed


@pytest.mark.parametrize("standing", Standing)
def test_every_standing_has_words(standing: Standing, capsys: pytest.CaptureFixture[str]) -> None:
    found = Comparison(standing=standing, sequence=5, field="title", recorded="one", live={"a": 1})
    assert comparison_row(SESSION, found)["standing"] == standing.value
    tell_comparison(found)
    said = capsys.readouterr()
    assert "live context and record: " in said.out
    if standing is Standing.DIFFERENT:
        assert all(part in said.err for part in ("title", "one", '{"a":1}'))
    else:
        assert said.err == ""


@pytest.mark.parametrize("came", [None, Came(command_id=SESSION, actions=())])
def test_a_fork_says_where_it_comes_from_and_whether_a_worker_has_it(came: Came | None) -> None:
    done = Forked(
        session_id="new",
        source=SESSION,
        sequence=5,
        entries=7,
        cancelled=1,
        user_id="alice",
        title="Fork at 5: how many?",
        came=came,
    )
    row = fork_row(done)
    assert (row["session_id"], row["forked_from"], row["at"], row["cancelled_runs"]) == ("new", SESSION, 5, 1)
    assert row["taken_up"] is (came is not None)


def test_a_new_id_tells_no_time() -> None:
    context = Context(Command("replay"))
    parameter = Command("replay").get_help_option(context)
    assert parameter is not None
    made = checked_new_id(context, parameter, "new")
    assert made is not None
    assert born_ms(made) is None
    assert checked_new_id(context, parameter, SESSION.upper()) == SESSION
    assert checked_new_id(context, parameter, None) is None
    with pytest.raises(BadParameter):
        checked_new_id(context, parameter, "newer")
