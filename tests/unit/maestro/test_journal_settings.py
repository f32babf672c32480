"""Settings of the journal that do not fit others: all said at once, before anything is opened."""

import pytest

from maestro.settings import SettingsError
from maestro.wiring.machine import journal_settings


def test_the_defaults_fit() -> None:
    assert journal_settings().lease_s < 10


def test_a_lease_may_be_as_long_as_the_session_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_RUNTIME_SESSION_TIMEOUT_S", "8")
    assert journal_settings().lease_s == 8.0


def test_a_static_name_allows_a_longer_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_JOURNAL_LEASE_S", "40")
    with pytest.raises(SettingsError, match="MAESTRO_JOURNAL_LEASE_S"):
        _ = journal_settings()
    monkeypatch.setenv("MAESTRO_STATIC_NAME", "execute-1")
    assert journal_settings().lease_s == 40.0


def test_all_that_does_not_fit_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_RUNTIME_SESSION_TIMEOUT_S", "6")
    monkeypatch.setenv("MAESTRO_REDIS_JOURNAL_CLAIM_KEEP_S", "60")
    monkeypatch.setenv("MAESTRO_JOURNAL_MARGIN_S", "1800")
    with pytest.raises(SettingsError) as refused:
        _ = journal_settings()
    assert len(refused.value.problems) == 3
    assert all(problem.startswith("MAESTRO_") for problem in refused.value.problems)
