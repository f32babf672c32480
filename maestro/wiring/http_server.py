"""The server of the API: uvicorn with a fast parser, bounded, and with signals left to the process."""

from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Server(uvicorn.Server):
    """A server that leaves signals to us: its own would raise them again when it has ended."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


def bounded(max_incomplete_bytes: int) -> type[HttpToolsProtocol]:
    """Return a protocol that cuts off who sends so many bytes of one head, or between parts of a body.

    The parser itself keeps what has no end. The application sees a request once its head is complete.
    """

    class Bounded(HttpToolsProtocol):
        """Counts what has come since something was complete."""

        _incomplete = 0

        def data_received(self, data: bytes) -> None:
            """Take what comes."""
            self._incomplete += len(data)
            super().data_received(data)
            if self._incomplete > max_incomplete_bytes and not self.transport.is_closing():
                self._refuse()

        def on_headers_complete(self) -> None:
            """Begin to count anew."""
            self._incomplete = 0
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            """Begin to count anew."""
            self._incomplete = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            """Begin to count anew."""
            self._incomplete = 0
            super().on_message_complete()

        def _refuse(self) -> None:
            if getattr(self.cycle, "response_complete", True):
                self.send_400_response("The head of the request is too long.")
            else:  # another answer is under way
                self.transport.close()

    return Bounded
