"""Logs: one line each, on stderr, with the bound ids."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from telemetry import logs


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_json_line_carries_the_bound_ids(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", as_json=True)
    with logs.bind(session_id="s1"):
        logs.logger("tests.json").info("run started", run_id="r1")
    logs.logger("tests.json").info("after")
    captured = capsys.readouterr()
    first, second = map(json.loads, captured.err.splitlines())
    assert captured.out == ""
    assert first["event"] == "run started"
    assert (first["session_id"], first["run_id"], first["level"]) == ("s1", "r1", "info")
    assert "session_id" not in second


def test_ids_that_are_bound_for_a_while_uncover_those_before(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", as_json=True)
    _ = logs.bind(session_id="outer", run_id="r")
    with logs.bind(session_id="inner"):
        logs.logger("tests.nested").info("inside")
    logs.logger("tests.nested").info("outside")
    inside, outside = map(json.loads, capsys.readouterr().err.splitlines())
    assert (inside["session_id"], inside["run_id"]) == ("inner", "r")
    assert (outside["session_id"], outside["run_id"]) == ("outer", "r")


async def test_ids_of_one_task_are_not_those_of_another(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", as_json=True)

    async def step(number: int) -> None:
        _ = logs.bind(session_id=f"s{number}")
        await asyncio.sleep(0)
        logs.logger("tests.tasks").info("step", number=number)

    await asyncio.gather(step(1), step(2))
    logs.logger("tests.tasks").info("after")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line.get("session_id") for line in lines] == ["s1", "s2", None]
    assert [line.get("number") for line in lines] == [1, 2, None]


def test_lines_of_libraries_take_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", as_json=True)
    logging.getLogger("aiokafka.consumer").info("dropped: noisy")
    logging.getLogger("aiokafka.consumer").warning("kept %s", 1)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "kept 1"


def test_an_exception_stays_on_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", as_json=True)
    try:
        raise ValueError("broken")  # noqa: EM101, TRY301
    except ValueError:
        logs.logger("tests.exception").exception("step failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: broken" in json.loads(line)["exception"]


def test_lines_below_the_level_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    logs.logger("tests.level").info("quiet")
    logs.logger("tests.level").warning("loud")
    (line,) = capsys.readouterr().err.splitlines()
    assert "loud" in line


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown log level 'loud'"):
        logs.configure("loud")


def test_the_lines_of_a_step_carry_its_ids(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", as_json=True)

    async def step(number: int) -> None:
        run_id = f"r{number}" if number else None
        logs.bind_step(logs.StepIds(f"t{number}", f"s{number}", run_id, f"e{number}"))
        await asyncio.sleep(0)
        logs.logger("tests.step").info("ours")
        logging.getLogger("library").warning("a library's")

    async def steps() -> None:
        await asyncio.gather(step(0), step(1))
        logs.logger("tests.step").info("after")

    asyncio.run(steps())
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    names = ("trace_id", "session_id", "run_id", "step_id")
    found = [tuple(line.get(name) for name in names) for line in lines]
    first, second = ("t0", "s0", None, "e0"), ("t1", "s1", "r1", "e1")
    assert found == [first, first, second, second, (None,) * 4]


@pytest.mark.parametrize(("level", "is_shown"), [("info", False), ("debug", True)])
def test_the_text_of_an_error_is_shown_only_where_every_detail_is_asked_for(
    level: str, is_shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(level, as_json=True)
    cause, text = "the-cause", "what-somebody-wrote"
    try:
        try:
            raise KeyError(cause)  # noqa: TRY301
        except KeyError as error:
            raise ValueError(text) from error
    except ValueError as error:
        logs.logger("tests.quoting").exception("tool failed", exc_info=logs.without_text(error))
    (line,) = capsys.readouterr().err.splitlines()
    shown = json.loads(line)["exception"]
    assert "test_the_text_of_an_error" in shown
    assert "ValueError" in shown
    assert "KeyError" in shown
    assert (text in line, cause in line) == (is_shown, is_shown)


@pytest.mark.parametrize("as_json", [True, False])
def test_an_error_is_shown_without_the_values_of_its_variables(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    logs.configure("info", as_json=as_json)
    words = "what somebody wrote".replace(" ", "-")  # the source's own line is shown
    try:
        _ = int(words)
    except ValueError as error:
        logs.logger("tests.locals").error("failed", exc_info=logs.without_text(error))
    written = capsys.readouterr().err
    assert "UnquotedError: ValueError" in written
    assert words not in written
