"""A start as it is shown: plain lines elsewhere than on a terminal."""

import io

from rich.console import Console

from maestro.dev.progress import showing


def shown(*, is_terminal: bool) -> str:
    """Show a small start and return what was written."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=is_terminal, width=80, color_system=None)
    with showing(console) as show:
        show.begin("kafka")
        show.begin("redis")
        show.tell("kafka", "fetching [jars]")
        show.done("redis", "127.0.0.1:1")
        show.done("redis", "again")
        show.done("kafka")
    return written.getvalue()


def test_each_stage_is_one_line_when_it_is_through() -> None:
    lines = shown(is_terminal=False).splitlines()
    assert [line.split()[:2] for line in lines] == [["kafka", "fetching"], ["✓", "redis"], ["✓", "kafka"]]
    assert "[jars]" in lines[0]
    assert lines[1].endswith("127.0.0.1:1")


def test_a_terminal_is_left_with_all_stages_in_the_order_of_their_begin() -> None:
    last = shown(is_terminal=True)
    assert 0 <= last.rfind("✓  kafka") < last.rfind("✓  redis")
