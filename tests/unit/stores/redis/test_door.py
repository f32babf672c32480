"""What the door reads and names: addresses, keys, scripts, errors, the server's policy."""

import ssl

import pytest

from schemas.errors import ErrorCode, FatalError, TransientError
from stores.redis.address import address_of
from stores.redis.keys import Keys
from stores.redis.opening import check_policy
from stores.redis.replies import as_bytes, as_int, as_list, as_text, translate
from stores.redis.scripts import ALL_SCRIPTS
from stores.redis.settings import RedisSettings
from stores.redis.wire import ErrorReply


def test_a_plain_url_is_read() -> None:
    address = address_of("redis://example.org")
    assert (address.host, address.port, address.path, address.tls) == ("example.org", 6379, None, None)
    assert address.login == ((b"CLIENT", b"SETNAME", b"maestro"),)


def test_user_password_and_database_are_sent_and_not_shown() -> None:
    address = address_of("redis://me:p%40ss@example.org:7000/3")
    assert address.login[:2] == ((b"AUTH", b"me", b"p@ss"), (b"SELECT", b"3"))
    assert str(address) == "example.org:7000"


def test_a_password_alone_is_sent_alone() -> None:
    assert address_of("redis://:secret@example.org").login[0] == (b"AUTH", b"secret")


def test_a_unix_socket_is_read() -> None:
    assert address_of("unix:///run/redis.sock?db=2").path == "/run/redis.sock"


@pytest.mark.parametrize(
    ("query", "mode", "checks"),
    [
        ("", ssl.CERT_REQUIRED, True),
        ("?ssl_check_hostname=false", ssl.CERT_REQUIRED, False),
        ("?ssl_cert_reqs=none", ssl.CERT_NONE, False),
    ],
)
def test_tls_verifies_unless_told_otherwise(query: str, mode: ssl.VerifyMode, checks: bool) -> None:
    tls = address_of(f"rediss://example.org{query}").tls
    assert tls is not None
    assert (tls.verify_mode, tls.check_hostname) == (mode, checks)


def test_missing_certificates_are_said() -> None:
    with pytest.raises(FatalError, match="certificates"):
        address_of("rediss://example.org?ssl_ca_certs=/does/not/exist.pem")


def test_another_scheme_is_refused() -> None:
    with pytest.raises(FatalError, match="REDIS_URL"):
        address_of("http://example.org")


def test_all_keys_of_a_partition_carry_its_hash_tag() -> None:
    keys = Keys("m:")
    named = (
        keys.epoch(7),
        keys.context(7, "s"),
        keys.token(7, "s"),
        keys.timers(7),
        keys.armed(7),
        keys.step(7, "s"),
        keys.feed(7, "s"),
    )
    assert len(set(named)) == len(named)
    assert all(key.startswith(b"m:{t07}:") for key in named)


def test_scripts_declare_the_marker_and_have_names_of_their_own() -> None:
    assert len({script.sha for script in ALL_SCRIPTS}) == len(ALL_SCRIPTS)
    assert all(b"KEYS[%d]" % (script.keys + 1) not in script.text for script in ALL_SCRIPTS)
    assert all(b"KEYS[%d]" % script.keys in script.text for script in ALL_SCRIPTS)


@pytest.mark.parametrize("text", ["LOADING x", "OOM x", "BUSY x", "READONLY x", "MISCONF x"])
def test_errors_that_pass_are_transient(text: str) -> None:
    assert isinstance(translate(ErrorReply(text)), TransientError)


@pytest.mark.parametrize("code", ["OOM", "READONLY", "MISCONF"])
def test_what_an_older_server_refuses_inside_a_script_is_the_same_error(code: str) -> None:
    place = "call to f_dc10504938c3fa5995aec3e8c7b403d1ad81a539): @user_script:46: @user_script: 46"
    reply = ErrorReply(f"ERR Error running script ({place}: -{code} command not allowed: no - WORD of ours")
    assert reply.code == code
    assert isinstance(translate(reply), TransientError)
    own = ErrorReply(f"ERR Error running script ({place}: Script attempted to access nonexistent - global")
    assert isinstance(translate(own), FatalError)


@pytest.mark.parametrize("text", ["NOAUTH x", "WRONGPASS x", "NOPERM x", "ERR invalid password"])
def test_a_refused_login_names_the_setting(text: str) -> None:
    error = translate(ErrorReply(text))
    assert isinstance(error, FatalError)
    assert "REDIS_URL" in error.message


def test_foreign_data_is_named_with_what_to_do() -> None:
    error = translate(ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value"))
    assert isinstance(error, FatalError)
    assert "MAESTRO_REDIS_PREFIX" in error.message
    assert "empty Redis" in error.message


def test_any_other_error_is_fatal_with_its_text() -> None:
    error = translate(ErrorReply("ERR wrong number of arguments"))
    assert isinstance(error, FatalError)
    assert error.code is ErrorCode.REFUSED_BY_STORE
    assert "wrong number of arguments" in error.message


def test_replies_of_another_shape_are_refused() -> None:
    for read in (as_bytes, as_text):
        with pytest.raises(FatalError):
            read(1)
    for reply in (None, [], ErrorReply("x")):
        with pytest.raises(FatalError):
            as_int(reply)
    with pytest.raises(FatalError):
        as_list(b"x")
    assert (as_list(None), as_int(b"12"), as_text(b"x")) == ([], 12, "x")


@pytest.mark.parametrize("info", ["maxmemory_policy:volatile-lru\r\n", "something_else:1\r\n", ""])
def test_a_policy_that_evicts_or_is_not_told_is_refused(info: str) -> None:
    with pytest.raises(FatalError, match="noeviction"):
        check_policy(info)


def test_the_needed_policy_is_accepted() -> None:
    check_policy("# Memory\r\nmaxmemory_policy:noeviction\r\nother:1\r\n")


def test_settings_come_from_the_environment_and_hide_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hidden@example.org")
    monkeypatch.setenv("MAESTRO_REDIS_PREFIX", "mine:")
    settings = RedisSettings()
    assert (settings.prefix, settings.connections) == ("mine:", 2)
    assert "hidden" not in repr(settings)
    assert settings.redis_url.get_secret_value().endswith("example.org")
