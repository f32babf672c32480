"""Messages from JSON lines: all fit, or it is said which do not."""

import orjson

from maestro.cli.send import read_messages

SESSION = "0197f0a0-0000-7000-8000-000000000001"


def line_of(**fields: object) -> bytes:
    return orjson.dumps({"session_id": SESSION, "user_id": "alice", "content": "hi"} | fields) + b"\n"


def test_every_message_gets_an_id_of_its_own() -> None:
    messages, problems = read_messages([line_of(), b"\n", line_of()], {})

    assert problems == []
    assert len({message.id for message in messages}) == 2
    assert None not in {message.id for message in messages}


def test_an_id_that_a_line_brings_is_kept() -> None:
    (message,), _ = read_messages([line_of(id="0197f0a0-0000-7000-8000-00000000000a")], {})

    assert message.id == "0197f0a0-0000-7000-8000-00000000000a"


def test_options_fill_in_what_a_line_lacks_and_nothing_else() -> None:
    lines = [b'{"content":"hi"}', line_of(user_id="bob")]

    messages, problems = read_messages(lines, {"session_id": SESSION, "user_id": "carol"})

    assert problems == []
    assert [message.user_id for message in messages] == ["carol", "bob"]


def test_each_line_that_does_not_fit_is_named_with_its_number() -> None:
    lines = [line_of(), b"nope\n", b"[1]\n", b"\n", line_of(content="", session_id="x")]

    messages, problems = read_messages(lines, {})

    assert len(messages) == 1
    assert [problem.split(":")[0] for problem in problems] == ["line 2", "line 3", "line 5"]
    assert "not JSON" in problems[0]
    assert "session_id" in problems[2]
    assert "content" in problems[2]


def test_a_line_that_the_broker_would_refuse_is_refused_before() -> None:
    _, problems = read_messages([line_of(content="a" * 900_001)], {})

    assert len(problems) == 1
    assert problems[0].startswith("line 1: too large")
