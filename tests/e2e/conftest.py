"""Each folder here goes to one process, in order: its tests share programs that run for minutes."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


class WholeFolders(LoadScopeScheduling):
    """Gives a folder's tests to one process, the folder with the most tests first."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].rpartition("/")[0]


@pytest.hookimpl(optionalhook=True)  # nobody asks for it without several processes
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeFolders:
    """Divide the tests among several processes by folder, whatever the command line says."""
    return WholeFolders(config, log)
