"""How a start is shown: a line per stage with its seconds; live on a terminal, plain elsewhere."""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

NAME_WIDTH = 16
REFRESH_PER_S = 8


class Progress(Protocol):
    """What a start tells the person who waits for it."""

    def begin(self, stage: str) -> None:
        """Say that a stage has begun."""
        ...

    def tell(self, stage: str, line: str) -> None:
        """Say what a stage is doing."""
        ...

    def done(self, stage: str, line: str = "") -> None:
        """Say that a stage is through, and what came of it."""
        ...

    def event(self, line: str) -> None:
        """Say that something happened that belongs to no stage."""
        ...


class Mark(Enum):
    """How far a stage is."""

    RUNNING = "running"
    DONE = "done"


@dataclass(slots=True)
class Stage:
    """One line of the display."""

    name: str
    began: float
    mark: Mark = Mark.RUNNING
    took_s: float = 0.0
    line: str = ""


class Stages:
    """The stages so far, in the order in which they began, with the time each took."""

    def __init__(self) -> None:
        self._by_name: dict[str, Stage] = {}

    def __iter__(self) -> Iterator[Stage]:
        """Yield them in order."""
        return iter(self._by_name.values())

    def begin(self, name: str) -> Stage:
        """Note the begin of a stage; once only."""
        return self._by_name.setdefault(name, Stage(name, time.monotonic()))

    def done(self, name: str, line: str) -> Stage | None:
        """Note the end of a stage; None when it had ended before."""
        stage = self.begin(name)
        if stage.mark is Mark.DONE:
            return None
        stage.mark, stage.took_s, stage.line = Mark.DONE, time.monotonic() - stage.began, line
        return stage


class Plain:
    """A line for each stage when it is through, and for what it tells meanwhile."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stages = Stages()

    def begin(self, stage: str) -> None:
        """Remember when it began."""
        _ = self._stages.begin(stage)

    def tell(self, stage: str, line: str) -> None:
        """Print what it does."""
        _ = self._stages.begin(stage)
        self._print(f"  {stage:<{NAME_WIDTH}} {line}")

    def done(self, stage: str, line: str = "") -> None:
        """Print that it is through, with its seconds."""
        ended = self._stages.done(stage, line)
        if ended is not None:
            self._print(f"✓ {stage:<{NAME_WIDTH}} {ended.took_s:5.1f} s  {line}".rstrip())

    def event(self, line: str) -> None:
        """Print it with the time of day."""
        self._print(f"{time.strftime('%H:%M:%S')} {line}")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False)


class Moving:
    """A table of stages that is drawn again in place while they run."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._stages = Stages()
        self._spinner = Spinner("dots")

    def begin(self, stage: str) -> None:
        """Show it as running."""
        _ = self._stages.begin(stage)

    def tell(self, stage: str, line: str) -> None:
        """Show what it does."""
        self._stages.begin(stage).line = line

    def done(self, stage: str, line: str = "") -> None:
        """Show it as through."""
        _ = self._stages.done(stage, line)

    def event(self, line: str) -> None:
        """Print it above the table."""
        self._live.console.print(line, markup=False)

    def table(self) -> Table:
        """Draw it as it is now."""
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=1)
        table.add_column(min_width=NAME_WIDTH)
        table.add_column(justify="right", min_width=6)
        table.add_column(style="dim", overflow="ellipsis", no_wrap=True)
        now = time.monotonic()
        for stage in self._stages:
            is_done = stage.mark is Mark.DONE
            took_s = stage.took_s if is_done else now - stage.began
            sign = Text("✓", style="green") if is_done else self._spinner
            table.add_row(sign, stage.name, f"{took_s:.1f} s", Text(stage.line))
        return table


@contextmanager
def showing(console: Console) -> Generator[Progress]:
    """Show progress on a console while the context is open."""
    if not console.is_terminal:
        yield Plain(console)
        return
    with Live(console=console, refresh_per_second=REFRESH_PER_S, redirect_stdout=False) as live:
        moving = Moving(live)
        live.update(_Redrawn(moving))
        yield moving
        live.update(moving.table())


class _Redrawn:
    """Gives the display a fresh table whenever it draws."""

    def __init__(self, moving: Moving) -> None:
        self._moving = moving

    def __rich__(self) -> Table:
        return self._moving.table()
