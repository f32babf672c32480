"""How commands word moments, spans and long texts. Pure."""

from datetime import datetime

_MINUTE_S = 60
_HOUR_S = 3_600
_DAY_S = 86_400
_UNITS = ((_MINUTE_S, 1, "s"), (_HOUR_S, _MINUTE_S, "min"), (_DAY_S, _HOUR_S, "h"))
_FEW_S = 10
"""Below it, tenths of a second matter."""

_MAX_LINES = 8
_MAX_CHARACTERS = 800


def clock(moment: datetime) -> str:
    """Return a moment as people read it: the local date and time, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float) -> str:
    """Return seconds as people say them: `0.4 s`, `12 s`, `3 min`, `5 h`, `2 d`."""
    for limit_s, unit_s, unit in _UNITS:
        if seconds < limit_s:
            return f"{seconds / unit_s:.{1 if seconds < _FEW_S else 0}f} {unit}"
    return f"{seconds / _DAY_S:.0f} d"


def shortened(text: str, characters: int = _MAX_CHARACTERS, lines: int = _MAX_LINES) -> str:
    """Return the beginning of `text`: at most so many characters and lines, with a sign where more was."""
    cut = text.strip()[:characters].splitlines()[:lines]
    short = "\n".join(cut).rstrip()
    return short if short == text.strip() else f"{short} …"


def one_line(text: str, characters: int) -> str:
    """Return the beginning of a text on one line."""
    return shortened(" ".join(text.split()), characters)
