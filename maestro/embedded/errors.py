"""What can go wrong with an embedded service; each sentence says what to do."""


class EmbeddedError(Exception):
    """An embedded service cannot be had; the message is a sentence for the person who started it."""


class FolderBusyError(EmbeddedError):
    """Another supervisor holds the data folder."""

    def __init__(self, root: str, pid: int | None) -> None:
        holder = f"process {pid}" if pid is not None else "another process"
        super().__init__(
            f"The data folder {root} is in use by {holder}. Stop that one first, or name another folder."
        )
        self.pid = pid


class PartFailedError(EmbeddedError):
    """A service ended, or did not get ready in time."""

    def __init__(self, name: str, reason: str, log_tail: str) -> None:
        detail = f" Its last lines:\n{log_tail}" if log_tail else ""
        super().__init__(f"{name} {reason}.{detail}")
        self.part = name
