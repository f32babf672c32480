"""Runs `maestro` and, when the file SABOTAGE appears, ends the task that keeps its group membership.

That is how aiokafka loses a membership for good: the process stays alive, and no message comes any more.
"""

import gc
import os
import threading
import time
from pathlib import Path

from aiokafka.consumer.group_coordinator import GroupCoordinator

from maestro.cli.app import run

POLL_S = 0.05


def wait_for_the_word(file: Path) -> None:
    """Do it once in the whole life of the role: the process that is started next finds no file."""
    while not file.exists():
        time.sleep(POLL_S)
    file.unlink()
    for each in gc.get_objects():
        if isinstance(each, GroupCoordinator):
            task = each._coordination_task
            task.get_loop().call_soon_threadsafe(task.cancel)


if __name__ == "__main__":
    threading.Thread(target=wait_for_the_word, args=(Path(os.environ["SABOTAGE"]),), daemon=True).start()
    run()
