"""The folder of a benchmark: its services' data and the logs of its processes, gone at the end."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def bench_folder() -> Generator[Path]:
    """Make a folder for a benchmark and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="maestro-bench-") as folder:
        os.chmod(folder, 0o711)  # noqa: PTH101, S103  PostgreSQL's user passes through when run as root
        yield Path(folder)
