"""The `maestro` command with its named points turned on: what the harness starts in its place."""

import os

from bus.names import TopicNames
from maestro.__main__ import main
from tests.chaos.harness.breakages import break_rule
from tests.chaos.harness.parking import enable

GROUP = "CHAOS_GROUP"
"""What is added to the name of every consumer group, so that a process shares its partitions with others."""


def set_apart(suffix: str) -> None:
    """Give this process consumer groups of its own."""
    group = TopicNames.group
    TopicNames.group = lambda self, name: f"{group(self, name)}{suffix}"


if __name__ == "__main__":
    enable()
    break_rule()
    set_apart(os.environ.get(GROUP, ""))
    main()
