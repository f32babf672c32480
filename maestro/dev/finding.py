"""What a check of `maestro doctor` found. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether something has to be done."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `mend` says what to do about it; empty when nothing."""

    name: str
    verdict: Verdict
    found: str
    mend: str = ""


def ok(name: str, found: str) -> Finding:
    """Say that it is as it should be."""
    return Finding(name=name, verdict=Verdict.OK, found=found)


def noted(name: str, found: str, mend: str = "") -> Finding:
    """Say that it may be so, and what would change it."""
    return Finding(name=name, verdict=Verdict.NOTE, found=found, mend=mend)


def wrong(name: str, found: str, mend: str) -> Finding:
    """Say that it has to be mended, and how."""
    return Finding(name=name, verdict=Verdict.WRONG, found=found, mend=mend)


def is_well(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing has to be mended."""
    return all(finding.verdict is not Verdict.WRONG for finding in findings)
