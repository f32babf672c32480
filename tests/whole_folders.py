"""Divides tests among processes by folder: those of a folder share programs that run for minutes."""

from xdist.scheduler import LoadScopeScheduling


class WholeFolders(LoadScopeScheduling):
    """Gives a folder's tests to one process, the folder with the most tests first."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].rpartition("/")[0]
