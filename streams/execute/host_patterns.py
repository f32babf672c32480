"""Which host names are allowed: patterns matched on whole labels. Pure."""

import re
from ipaddress import ip_address
from typing import Final

LABEL: Final = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
"""Regular expression of one part of a host name between dots, lower case."""
_PATTERN: Final = re.compile(rf"\*|(\*\.)?{LABEL}(\.{LABEL})*")


def is_allowed(host: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether `host` fits one of the patterns.

    `example.org` is that name alone, `*.example.org` every name below it (not itself), `*` every name. An
    address fits only a pattern that spells it.
    """
    is_address = _is_address(host)
    for pattern in patterns:
        if host == pattern or (pattern == "*" and not is_address):
            return True
        if pattern.startswith("*.") and not is_address and host.endswith(pattern[1:]):
            return True
    return False


def is_pattern(text: str) -> bool:
    """Tell whether `text` can be a pattern of `is_allowed`: a name, `*.` and a name, `*`, or an address."""
    return _PATTERN.fullmatch(text) is not None or _is_address(text)


def _is_address(text: str) -> bool:
    try:
        _ = ip_address(text)
    except ValueError:
        return False
    return True
