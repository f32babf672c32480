"""A response's body as text: what counts as text, and decompression that never holds too much. Pure."""

import codecs
import re
import zlib
from typing import Final

from streams.execute.tool import ToolError

_TEXT: Final = re.compile(
    r"text/[a-z0-9.+-]+|application/(json|xml|yaml|x-yaml|x-ndjson|ndjson|javascript|ecmascript|toml|rtf"
    r"|[a-z0-9.-]+\+(json|xml|yaml))"
)
_CHARSET: Final = re.compile(
    r"(?:^|;)\s*charset\s*=\s*[\"']?([a-z0-9._:-]{1,40})[\"']?\s*(?:;|$)", re.IGNORECASE
)
# Others take time that grows with the square of the length, or are no character sets at all.
_CHARSETS: Final = re.compile(
    r"utf-(8|16|16-be|16-le|32)|ascii|iso8859-\d+|cp125\d|koi8-[ru]|gbk|gb2312|gb18030|big5|shift_jis|cp932"
    r"|euc_(jp|kr)"
)
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_RAW_DEFLATE: Final = -zlib.MAX_WBITS
_FRAME_BYTES: Final = 2
"""Bytes from which zlib knows whether there is a frame around the data."""


def is_text(content_type: str) -> bool:
    """Tell whether a `Content-Type` is one of text."""
    return _TEXT.fullmatch(content_type.partition(";")[0].strip().lower()) is not None


def charset_of(content_type: str) -> str:
    """Return the Python name of the character set that a `Content-Type` names; utf-8 where it names none."""
    match = _CHARSET.search(content_type.partition(";")[2])
    if match is None:
        return "utf-8"
    try:
        name = codecs.lookup(match[1]).name
    except LookupError:
        return "utf-8"
    return name if _CHARSETS.fullmatch(name) else "utf-8"


class Body:
    """Collects a body, decompressed, up to a number of bytes.

    Raises:
        ToolError: the encoding is none that was asked for.

    """

    def __init__(self, encoding: str, *, max_bytes: int) -> None:
        self._limit = max_bytes
        self._raw_bytes = 0
        self._kept = bytearray()
        self._frame = b""
        self.is_cut = False
        """Whether there was more than the limit."""
        match encoding.strip().lower():
            case "" | "identity":
                self._inflate = None
            case "gzip" | "x-gzip" | "deflate":
                self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
            case _:
                message = "the answer is compressed in a way that was not asked for"
                raise ToolError(message)

    def add(self, chunk: bytes) -> bool:
        """Take the next bytes from the wire; return whether more are wanted.

        Raises:
            ToolError: they cannot be decompressed.

        """
        if not chunk:
            return not self.is_cut
        self._raw_bytes += len(chunk)
        room = self._limit - len(self._kept)
        piece = chunk[: room + 1] if self._inflate is None else self._inflated(chunk, room + 1)
        if len(piece) > room or self._raw_bytes > self._limit:
            self.is_cut = True
        self._kept += piece[:room]
        return not self.is_cut

    def text(self, content_type: str) -> str:
        """Return what was collected; bytes that are no characters are replaced."""
        return bytes(self._kept).decode(charset_of(content_type), "replace")

    def _inflated(self, chunk: bytes, most: int) -> bytes:
        assert self._inflate is not None  # noqa: S101 - narrows the type
        try:
            piece = self._inflate.decompress(chunk, most)
        except zlib.error as error:
            if len(self._frame) >= _FRAME_BYTES:
                message = "the answer's compression is broken"
                raise ToolError(message) from error
        else:
            self._frame = (self._frame + chunk[:_FRAME_BYTES])[:_FRAME_BYTES]
            return piece
        # Some servers send "deflate" without zlib's frame: begin again without looking for one.
        self._inflate = zlib.decompressobj(_RAW_DEFLATE)
        whole, self._frame = self._frame + chunk, b"\0" * _FRAME_BYTES
        return self._inflated(whole, most)
