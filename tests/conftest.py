"""What all rings of tests share: one real Kafka, PostgreSQL and Redis for a whole run; untimed examples."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from maestro.embedded.folder import DataFolder
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack

# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def stack_folder() -> Iterator[Path]:
    """An empty data folder, removed afterwards with what belongs to it elsewhere."""
    root = Path(tempfile.mkdtemp(prefix="maestro-test-"))
    root.chmod(0o711)  # PostgreSQL's user passes through when the tests run as root
    yield root
    DataFolder(root).remove()
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
async def stack(stack_folder: Path) -> AsyncIterator[EmbeddedStack]:
    """The running services, shared by all tests: use your own topics prefix, database and keys."""
    async with EmbeddedStack(EmbeddedSettings(data_dir=stack_folder)) as running:
        yield running
