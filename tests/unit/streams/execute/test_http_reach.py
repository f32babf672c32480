"""What `http_fetch` refuses before it connects: the real rules on names that resolve to the inside."""

from collections.abc import Sequence

import pytest

from schemas.errors import ErrorCode
from streams.execute.settings import HttpToolSettings
from streams.execute.tool import Tool, ToolContext, ToolError
from streams.execute.tools.http_fetch import HttpFetchArguments, Reach, http_fetch_tool

CONTEXT = ToolContext(session_id="s", user_id="u", run_id="r", step_id="t")


def tool_for(*addresses: str, hosts: tuple[str, ...] = ("example.org",)) -> Tool:
    async def resolved(_host: str, _port: int) -> Sequence[str]:
        return addresses

    settings = HttpToolSettings(allowed_hosts=hosts, time_limit_s=2)
    return http_fetch_tool(settings, result_limit_bytes=10_000, reach=Reach(resolve=resolved))


async def refusal(tool: Tool, url: str) -> ToolError:
    with pytest.raises(ToolError) as refused:
        _ = await tool(HttpFetchArguments(url=url), CONTEXT)
    return refused.value


async def test_it_is_off_until_hosts_are_allowed() -> None:
    error = await refusal(tool_for("93.184.216.34", hosts=()), "https://example.org/")
    assert error.code is ErrorCode.MISCONFIGURED
    assert "MAESTRO_TOOL_HTTP_ALLOWED_HOSTS" in error.message


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("169.254.169.254",),
        ("::1",),
        ("::ffff:10.0.0.1",),
        ("fe80::1%2",),
        ("100.64.0.1",),
        ("93.184.216.34", "10.0.0.1"),
        ("2606:4700::1111", "64:ff9b::7f00:1"),
        ("not an address",),
        (),
    ],
)
async def test_a_name_that_leads_inside_is_refused(addresses: tuple[str, ...]) -> None:
    error = await refusal(tool_for(*addresses), "https://example.org/")
    assert "not on the public internet" in error.message


@pytest.mark.parametrize(
    ("hosts", "url"),
    [
        (("127.0.0.1",), "http://127.0.0.1/"),
        (("::1",), "http://[::1]/"),
        (("::ffff:7f00:1",), "http://[::ffff:127.0.0.1]/"),
        (("169.254.169.254",), "http://169.254.169.254/latest/meta-data/"),
        (("localhost",), "http://localhost/"),
        (("*",), "http://metadata.google.internal/"),
    ],
)
async def test_allowing_what_is_inside_opens_nothing(hosts: tuple[str, ...], url: str) -> None:
    error = await refusal(tool_for("127.0.0.1", hosts=hosts), url)
    assert "not on the public internet" in error.message


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://[::1]/", "http://8.8.8.8/"])
async def test_an_address_is_no_name(url: str) -> None:
    error = await refusal(tool_for("93.184.216.34", hosts=("*",)), url)
    assert "is not allowed" in error.message


async def test_a_host_that_is_not_allowed_is_not_even_resolved() -> None:
    async def never(_host: str, _port: int) -> Sequence[str]:
        raise AssertionError

    settings = HttpToolSettings(allowed_hosts=("example.org",))
    tool = http_fetch_tool(settings, result_limit_bytes=10_000, reach=Reach(resolve=never))
    assert "is not allowed" in (await refusal(tool, "https://example.org.evil.example/")).message


async def test_the_systems_own_resolver_leads_localhost_inside() -> None:
    settings = HttpToolSettings(allowed_hosts=("localhost",))
    tool = http_fetch_tool(settings, result_limit_bytes=10_000)
    assert "not on the public internet" in (await refusal(tool, "http://localhost/")).message
