"""What commands refuse before they reach for anything."""

import pytest
from click.testing import CliRunner

from maestro.cli.app import COMMANDS, cli
from maestro.cli.places import parsed_place, parsed_ranges

SESSION = "0197f0a0-0000-7000-8000-000000000001"
NO_UTF_8 = "\udcff"
"""What Python makes of an argument that is the byte 0xFF."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask"],
        ["ask", " "],
        ["ask", "hi", "--timeout", "0"],
        ["ask", "hi", "--session", "not-a-uuid"],
        ["ask", "hi", "--user", ""],
        ["send"],
        ["send", "hi", "--file", "-"],
        ["send", "--file", "/does/not/exist"],
        ["tail"],
        ["tail", "runs", "--limit", "0"],
        ["dlq", "list", "--reason", "boredom"],
        ["dlq", "show", "three"],
        ["dlq", "show", "1", "2", "3"],
        ["dlq", "show", "1:2-3"],
        ["dlq", "list", "--state", "lost"],
        ["dlq", "redrive"],
        ["dlq", "redrive", "three"],
        ["dlq", "redrive", "3:17", "3:40-17"],
        ["dlq", "redrive", "3:17-4:20"],
        ["dlq", "redrive", "3:17", "--limit", "0"],
        ["dlq", "redrive", "--reason", "boredom"],
        ["dlq", "discard", "3:17"],
        ["dlq", "discard", "3:17", "--note", " "],
        ["dlq", "discard", "--note", "old"],
        ["replay"],
        ["replay", "x"],
        ["replay", SESSION, "--at", "0"],
        ["replay", SESSION, "--compare", "--decide"],
        ["replay", SESSION, "--compare", "--at", "3"],
        ["replay", SESSION, "--decide", "--fork", "new"],
        ["replay", SESSION, "--fork", "x"],
        ["replay", SESSION, "--compare", "--timeout", "0"],
        ["agents", "apply"],
        ["agents", "apply", "/does/not/exist.yaml"],
        ["chat", "--session", "x"],
        ["trail"],
        ["trail", SESSION, "--session", SESSION],
        ["cancel", SESSION, "--user", ""],
        ["cancel", SESSION, "--user", "x" * 201],
        ["cancel", SESSION, "--reason", NO_UTF_8],
        ["approve", SESSION, "--user", NO_UTF_8],
        ["deny", SESSION, "--reason", NO_UTF_8],
        ["session", "archive", SESSION, "--user", ""],
        ["session", "configure", SESSION, "--ttl", "99999999999999999999"],
        ["session", "configure", SESSION, "--title", NO_UTF_8],
        ["session", "configure", SESSION, "--agent", ""],
        ["session", "configure", SESSION, "--working-directory", NO_UTF_8],
    ],
    ids=lambda arguments: ascii(" ".join(arguments)),
)
def test_wrong_use_ends_with_exit_code_2_and_nothing_on_stdout(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, arguments)

    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_says_what_it_does(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])

    assert result.exit_code == 0
    assert "Usage:" in result.stdout


@pytest.mark.parametrize("words", [("3", "17"), ("3:17",)])
def test_a_dead_letter_is_named_by_partition_and_offset(words: tuple[str, ...]) -> None:
    assert parsed_place(words) == (3, 17)


def test_dead_letters_are_named_by_places_and_ranges_of_one_partition() -> None:
    assert parsed_ranges(("3", "17")) == [(3, 17, 17)]
    assert parsed_ranges(("3:17", "0:1-4", "2:5-2:9")) == [(3, 17, 17), (0, 1, 4), (2, 5, 9)]
