"""The tool `current_time`."""

from datetime import UTC, datetime, timedelta

import pytest

from streams.execute.invoke import Invocation, validated
from streams.execute.tool import ToolError
from streams.execute.tools.current_time import CurrentTimeArguments, current_time
from tests.unit.streams.execute.tools_for_tests import CONTEXT


async def told(zone: str) -> dict[str, str]:
    return await current_time(CurrentTimeArguments(timezone=zone), CONTEXT)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "Asia/Kathmandu", "America/St_Johns"])
async def test_the_time_is_now_in_any_zone(zone: str) -> None:
    answer = await told(zone)
    now = datetime.fromisoformat(answer["now"])
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
    assert answer["timezone"] == zone
    assert answer["weekday"] == now.strftime("%A")


async def test_a_zone_has_its_own_offset() -> None:
    assert (await told("Asia/Kathmandu"))["now"].endswith("+05:45")


async def test_without_a_zone_it_is_utc() -> None:
    arguments = validated(current_time, "{}")
    assert isinstance(arguments, CurrentTimeArguments)
    assert (await current_time(arguments, CONTEXT))["now"].endswith("+00:00")


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "Europe", "../etc/passwd", "/etc/passwd", "\x00", "zone.tab"]
)
async def test_an_unknown_zone_tells_the_model_what_to_give(zone: str) -> None:
    with pytest.raises(ToolError, match=r"there is no time zone .*; give an IANA name"):
        _ = await told(zone)


def test_an_argument_that_it_does_not_have_is_refused() -> None:
    assert isinstance(validated(current_time, '{"city":"Madrid"}'), Invocation)
