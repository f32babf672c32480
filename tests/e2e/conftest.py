"""Each folder here goes to one process, in order."""

import pytest
from xdist.remote import Producer

from tests.whole_folders import WholeFolders


@pytest.hookimpl(optionalhook=True)  # nobody asks for it without several processes
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeFolders:
    """Divide the tests among several processes by folder, whatever the command line says."""
    return WholeFolders(config, log)
