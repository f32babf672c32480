"""URLs that may be asked and those that may not, read as strictly as they are then asked."""

import pytest
from pydantic import ValidationError
from yarl import URL

from streams.execute.host_patterns import is_allowed, is_pattern
from streams.execute.settings import HttpToolSettings
from streams.execute.tool import ToolError
from streams.execute.tools.http_target import redirected, target_of

PORTS = frozenset({80, 443})
GOOD = [
    ("http://example.org", "http://example.org/"),
    ("HTTPS://Example.ORG./a?b=c#d", "https://example.org/a?b=c"),
    ("https://example.org:443/", "https://example.org/"),
    ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
    ("https://example.org/ü?q=ß", "https://example.org/%C3%BC?q=%C3%9F"),
    ("https://example.org/a%20b?x=%26", "https://example.org/a%20b?x=%26"),
    ("https://8.8.8.8/", "https://8.8.8.8/"),
    ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
    ("http://example.org//127.0.0.1/", "http://example.org//127.0.0.1/"),
    ("http://example.org/?@127.0.0.1", "http://example.org/?@127.0.0.1"),
]
BAD = [
    "",
    "example.org",
    "/etc/passwd",
    "file:///etc/passwd",
    "ftp://example.org/",
    "gopher://example.org/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "http:example.org",
    "http://",
    "http:///path",
    "http://user@example.org/",
    "http://user:password@example.org/",
    "http://example.org@127.0.0.1/",
    "http://@example.org/",
    "http://example.org:22/",
    "http://example.org:0/",
    "http://example.org:99999/",
    "http://example.org:x/",
    "http://example.org:80:22/",
    "http://exam ple.org/",
    "http://example.org/\r\nHost: inside",
    "http://example.org\t/",
    "http://example.org\\@127.0.0.1/",
    "http://exämple.org/",
    "http://127.0.0.1。example/",
    "http://ⓔxample.org/",
    "http://-a.example/",
    "http://a..example/",
    "http://under_score.example/",
    "http://*.example/",
    "http://%31%32%37.0.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.0.0.01/",
    "http://127.0.0.1.1/",
    "http://a.0x10/",
    "http://[::1",
    "http://[::1]x/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[v1.a]/",
    "http://[127.0.0.1]/",
    "http://" + "a." * 130 + "org/",
    "http://example.org/" + "a" * 4_000,
]


@pytest.mark.parametrize(("url", "asked"), GOOD)
def test_a_plain_url_is_asked_as_it_was_read(url: str, asked: str) -> None:
    target = target_of(url, ports=PORTS)
    assert target.url == asked
    # What the client makes of the text is what was checked.
    read = URL(target.url, encoded=True)
    assert (read.raw_host, read.port, read.scheme) == (target.host, target.port, target.scheme)
    assert read.user is None


@pytest.mark.parametrize("url", BAD)
def test_an_odd_url_is_refused(url: str) -> None:
    with pytest.raises(ToolError):
        _ = target_of(url, ports=PORTS)


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/b", "https://example.org/b"),
        ("b?c", "https://example.org/a/b?c"),
        ("//other.example/x", "https://other.example/x"),
        ("https://other.example", "https://other.example/"),
        ("?q=1", "https://example.org/a/?q=1"),
    ],
)
def test_a_redirection_is_read_from_where_it_was_found(location: str, leads_to: str) -> None:
    start = target_of("https://example.org/a/", ports=PORTS)
    assert redirected(start, location, ports=PORTS).url == leads_to


@pytest.mark.parametrize(
    "location",
    [
        "http://example.org/",
        "file:///etc/passwd",
        "//user@example.org/",
        "//example.org:22/",
        "//127.1/",
        "https://[::1",
        "/a b",
        "\\\\inside\\x",
    ],
)
def test_an_odd_redirection_is_refused(location: str) -> None:
    start = target_of("https://example.org/a/", ports=PORTS)
    with pytest.raises(ToolError):
        _ = redirected(start, location, ports=PORTS)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("example.org", True),
        ("www.example.org", False),
        ("a.example.net", True),
        ("a.b.example.net", True),
        ("example.net", False),
        ("evilexample.net", False),
        ("example.net.evil.org", False),
        ("8.8.8.8", True),
        ("8.8.4.4", False),
        ("1.example.com", False),
    ],
)
def test_patterns_are_matched_on_labels(host: str, allowed: bool) -> None:
    assert is_allowed(host, ("example.org", "*.example.net", "8.8.8.8")) is allowed


def test_the_pattern_for_all_names_holds_for_no_address() -> None:
    assert is_allowed("example.org", ("*",))
    assert not is_allowed("8.8.8.8", ("*",))
    assert not is_allowed("::1", ("*",))


@pytest.mark.parametrize(
    "text",
    ["ex*mple.org", "*example.org", "a.*.org", "**", "*.*.org", "http://a", "a/b", "a:80", "-a", "a_b", ""],
)
def test_what_is_no_pattern_is_refused_at_the_start(text: str) -> None:
    assert not is_pattern(text)
    if text:
        with pytest.raises(ValidationError):
            _ = HttpToolSettings(allowed_hosts=(text,))


def test_hosts_are_read_from_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_TOOL_HTTP_ALLOWED_HOSTS", "Example.org, *.example.net ,")
    assert HttpToolSettings().allowed_hosts == ("example.org", "*.example.net")
