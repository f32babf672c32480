"""The tool `current_time`: what the clock says, in any time zone."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field

from schemas.lists import EffectClass
from streams.execute.tool import ToolContext, ToolError, tool

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""In English, whatever the process's locale."""


class CurrentTimeArguments(BaseModel):
    """Where."""

    model_config = ConfigDict(extra="forbid")

    timezone: str = Field("UTC", max_length=64, description="IANA time zone, for example Europe/Madrid.")


@tool(effect=EffectClass.PURE, time_limit_s=5)
async def current_time(arguments: CurrentTimeArguments, _context: ToolContext) -> dict[str, str]:
    """Return the current date, time and weekday in a time zone (UTC when none is given)."""
    try:
        zone = ZoneInfo(arguments.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"there is no time zone {arguments.timezone!r}; give an IANA name such as Europe/Madrid"
        raise ToolError(message) from error
    now = datetime.now(zone)
    return {
        "now": now.isoformat(timespec="seconds"),
        "weekday": _WEEKDAYS[now.weekday()],
        "timezone": arguments.timezone,
    }
