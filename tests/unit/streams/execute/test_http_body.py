"""Bodies: what is text, which bytes are characters, and bombs that do not go off."""

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.execute.tool import ToolError
from streams.execute.tools.http_body import Body, charset_of, is_text


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/html; charset=utf-8", True),
        ("TEXT/PLAIN", True),
        ("application/json", True),
        ("application/problem+json", True),
        ("application/rss+xml", True),
        ("application/xhtml+xml", True),
        ("application/octet-stream", False),
        ("application/pdf", False),
        ("image/svg+xml", False),
        ("application/zip", False),
        ("", False),
        ("text/", False),
    ],
)
def test_only_kinds_of_text_are_text(content_type: str, expected: bool) -> None:
    assert is_text(content_type) is expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/html", "utf-8"),
        ("text/html; charset=UTF-8", "utf-8"),
        ('text/html; charset="iso-8859-1"', "iso8859-1"),
        ("text/html;x=y; charset=windows-1252 ; z", "cp1252"),
        ("text/html; charset=idna", "utf-8"),
        ("text/html; charset=punycode", "utf-8"),
        ("text/html; charset=unicode_escape", "utf-8"),
        ("text/html; charset=zlib", "utf-8"),
        ("text/html; charset=nonsense", "utf-8"),
    ],
)
def test_only_character_sets_are_character_sets(content_type: str, expected: str) -> None:
    assert charset_of(content_type) == expected


@given(st.binary(max_size=5_000), st.sampled_from(["", "gzip", "deflate", "raw"]), st.integers(1, 700))
def test_a_body_comes_back_whole_however_it_is_sent(data: bytes, encoding: str, size: int) -> None:
    sent = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "raw": _raw_deflate}[encoding](data)
    body = Body("deflate" if encoding == "raw" else encoding, max_bytes=100_000)
    for at in range(0, len(sent), size):
        assert body.add(sent[at : at + size])
    assert body.text("text/plain; charset=iso-8859-1") == data.decode("iso-8859-1")
    assert not body.is_cut


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_cut_before_it_is_unpacked(encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    bomb = pack(b"\0" * 40_000_000)
    body = Body(encoding, max_bytes=50_000)
    tracemalloc.start()
    assert not body.add(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert body.is_cut
    assert len(body.text("text/plain")) == 50_000
    assert peak < 2_000_000


def test_a_long_body_is_cut() -> None:
    body = Body("", max_bytes=10)
    assert body.add(b"1234567890")
    assert not body.is_cut
    assert not body.add(b"x")
    assert (body.text(""), body.is_cut) == ("1234567890", True)


def test_endless_input_that_unpacks_to_nothing_ends() -> None:
    packed = gzip.compress(b"")
    body = Body("gzip", max_bytes=1_000)
    assert body.add(packed)
    assert not all(body.add(b"\0" * 100) for _ in range(20))


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "deflate, gzip"])
def test_an_encoding_that_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(ToolError):
        _ = Body(encoding, max_bytes=10)


def test_broken_compression_is_said() -> None:
    body = Body("gzip", max_bytes=1_000)
    with pytest.raises(ToolError, match="broken"):
        _ = body.add(b"this is not gzip at all")
